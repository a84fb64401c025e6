/**
 * A PF with a large pool, all of which is made, bound to VFIO and taken back: 32 VFs, or as many as `-- --vfs N` says. The adapter is virtio-net's own SR-IOV,
 * which has no settings of VFs. 254 of them take 13 GB and many minutes.
 */
import { sriovTest, unipathDone, unipathJson, useMachine } from './bed.js';

const MAC = '52:54:00:5a:02:01';
const at = process.argv.indexOf('--vfs');
const VFS = at < 0 ? 32 : Number(process.argv[at + 1]);
/** Beyond these the machine needs more memory, and longer. */
const SMALL = 64;

useMachine({ adapters: [], pool: { mac: MAC, vfs: VFS }, ...(VFS > SMALL ? { memoryMiB: 4096, bootMs: 600_000 } : {}) });

sriovTest(`${VFS} VFs are made, given to VFIO and taken back`, async (t, machine) => {
  const { answer } = await unipathJson(machine, 'adapter show');
  const pf = (answer as { pfs: { pci: string; nic: { value: { name: string; mac: string } }; sriov: { total: number } }[] }).pfs.find(({ nic }) => nic.value.mac === MAC);
  t.is(pf?.sriov.total, VFS);
  const folder = `/sys/bus/pci/devices/${pf?.pci}`;
  const count = async (pattern: string): Promise<number> => Number(await machine.run(`ls -d ${folder}/${pattern} 2>/dev/null | wc -l`));
  const before = performance.now();
  await unipathDone(machine, `adapter setup ${pf?.pci} --vfs ${VFS}`);
  const made = performance.now();
  t.is(await count('virtfn*'), VFS);
  t.is(Number(await machine.run(`readlink ${folder}/virtfn*/driver | grep -c /vfio-pci$`)), VFS);
  t.is(Number(await machine.run(`readlink ${folder}/virtfn*/iommu_group | sort -u | wc -l`)), VFS);
  const looked = performance.now();
  await unipathDone(machine, `adapter reset ${pf?.pci}`);
  t.is(await count('virtfn*'), 0);
  const seconds = (ms: number): string => `${(ms / 1000).toFixed(1)} s`;
  t.log(`${VFS} VFs made and bound in ${seconds(made - before)}, taken back in ${seconds(performance.now() - looked)}`);
}, { long: true });
