export default { files: ['build-traffic/test/**/*.test.js'], workerThreads: false, concurrency: 1, timeout: '3m' };
