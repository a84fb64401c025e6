/** Makes what guests start from before the first of them does: the set-up runs this. */
import { guestImage } from './image.js';
import { findKernel, unpackedKernel } from './kernel.js';

const kernel = findKernel();
if (kernel === null) throw new Error('there is no kernel for guests: run `npm run setup -- --guests`');
await unpackedKernel(kernel);
await guestImage('base', kernel);
