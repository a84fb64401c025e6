export default { files: ['build-control/test/unit/{core,reconcile}/**/*.test.js'], workerThreads: false, concurrency: 2 };
