/** Runs inside a namespace (argument: ifindex of a veth whose peer is up): sends live frames that the program answers with TX. */
import { BpfObject } from '../../src/native/object.js';
import { XdpLink } from '../../src/native/link.js';

const [path = '', ifindex = ''] = process.argv.slice(2);
const object = BpfObject.open(path);
await object.load();
const program = object.program('grow_frame');
// A veth takes redirected and returned frames only with XDP of its own.
const link = XdpLink.attach(object.program('count_frame'), Number(ifindex), 'native');
let ticks = 0;
const timer = setInterval(() => ticks++, 1);
const start = performance.now();
const result = await program.sendLiveFrames({ data: Buffer.alloc(64, 0xff), ingressIfindex: Number(ifindex), repeat: 200_000 });
const tookMs = performance.now() - start;
clearInterval(timer);
const single = program.testRun({ data: Buffer.alloc(64, 0xff), ingressIfindex: Number(ifindex) });
link.close();
object.close();
console.log(JSON.stringify({ ...result, tookMs, ticks, verdict: single.verdict }));
