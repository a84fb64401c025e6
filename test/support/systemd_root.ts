/** systemd as the first process of namespaces of its own, in a root that is this machine's with memory over it: all of it goes with its process. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { ExecutionContext } from 'ava';
import { temporaryFolder } from './control_socket.js';
import { type Missing, needs } from './require.js';

const runFile = promisify(execFile);
const START_MS = 60_000;
const PATH = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const SYSTEMD = '/lib/systemd/systemd';

/** Of what else a machine starts nothing, for that is the outer machine's. $1: an empty folder. */
const SCRIPT = `
set -e
mount -t tmpfs tmpfs "$1"
root=$1/root
mkdir "$1/changes" "$1/work" "$root"
mount -t overlay -o "lowerdir=/,upperdir=$1/changes,workdir=$1/work" overlay "$root"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t bpf bpf "$root/sys/fs/bpf"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/dev"
mkdir "$root/dev/net" "$root/dev/shm" "$root/dev/pts"
for device in null zero full random urandom tty net/tun; do : > "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
: > "$root/dev/console"
mount --bind /dev/null "$root/dev/console"
ln -s /proc/self/fd "$root/dev/fd"
# They would read every manual page of the machine, and keep services from being started.
rm -f "$root/var/lib/man-db/auto-update" "$root/usr/sbin/policy-rc.d"
units=$root/run/systemd/system
mkdir -p "$units" "$root/run/systemd/journald.conf.d"
for unit in /lib/systemd/system/sysinit.target.wants/*.service /etc/systemd/system/sysinit.target.wants/*; do
  [ "\${unit##*/}" = systemd-journald.service ] || ln -sf /dev/null "$units/\${unit##*/}"
done
printf '[Journal]\\nStorage=volatile\\nRateLimitBurst=0\\n' > "$root/run/systemd/journald.conf.d/test.conf"
printf '[Unit]\\nDescription=nothing but what it needs itself\\nRequires=sysinit.target\\nAllowIsolate=yes\\n' > "$units/test.target"
mkdir "$root/outside"
cd "$root"
pivot_root . outside
umount -l /outside
exec env -i container=unipath ${PATH} ${SYSTEMD} --unit=test.target`;

/** Where the one hierarchy of control groups is; null: there is none. */
function cgroups(): string | null {
  return /^\S+ (\S+) cgroup2 /m.exec(readFileSync('/proc/mounts', 'utf8'))?.[1] ?? null;
}

/** What a test with it needs. */
export function systemdNeeds(): readonly Missing[] {
  const overlay = readFileSync('/proc/filesystems', 'utf8').includes('\toverlay\n') ? null : 'overlayfs';
  const tools = ['unshare', 'nsenter', 'setpriv', 'pivot_root', 'dpkg'].map(needs.tool);
  return [needs.root(), ...tools, needs.file(SYSTEMD, 'systemd'), needs.file('/dev/net/tun', 'the kernel module tun'), overlay, cgroups() === null ? 'cgroup2' : null];
}

/** Folders of control groups go from below. */
function removeGroup(folder: string): void {
  for (const entry of readdirSync(folder, { withFileTypes: true })) if (entry.isDirectory()) removeGroup(join(folder, entry.name));
  rmdirSync(folder);
}

export class SystemdRoot {
  readonly #pid: number;

  private constructor(pid: number) {
    this.#pid = pid;
  }

  /** Running when it resolves; taken away when the test ends, and with this process however that ends. */
  static async start(t: ExecutionContext): Promise<SystemdRoot> {
    const memory = join(temporaryFolder(t), 'memory');
    mkdirSync(memory);
    const group = join(cgroups() ?? '', `unipath-test-${process.pid}`);
    mkdirSync(group);
    const unshare = ['setpriv', '--pdeathsig', 'KILL', 'unshare', '--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup', '--fork', '--kill-child'];
    const enter = `echo $$ > ${group}/cgroup.procs; exec "$@"`;
    const child = spawn('sh', ['-c', enter, 'sh', ...unshare, 'sh', '-c', SCRIPT, 'sh', memory], { stdio: ['ignore', 'ignore', 'pipe'] });
    let words = '';
    child.stderr.on('data', (text: Buffer) => void (words += text.toString()));
    t.teardown(async () => {
      await SystemdRoot.#end(child);
      removeGroup(group);
    });
    const deadline = Date.now() + START_MS;
    for (;;) {
      const pid = Number(readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').split(' ')[0]);
      if (pid > 0 && readFileSync(`/proc/${pid}/cmdline`, 'utf8').startsWith(SYSTEMD)) {
        const root = new SystemdRoot(pid);
        const state = await root.run('systemctl', 'is-system-running', '--wait').catch(() => '');
        if (state.trim() === 'running') return root;
      }
      if (child.exitCode !== null || Date.now() > deadline) throw new Error(`systemd does not run in namespaces of its own: ${words}`);
      await sleep(100);
    }
  }

  /** In it. @returns what it prints. @throws Error with its words */
  async run(command: string, ...args: readonly string[]): Promise<string> {
    const namespaces = ['--mount', '--pid', '--uts', '--ipc', '--net', '--cgroup'];
    const { stdout } = await runFile('nsenter', ['--target', String(this.#pid), ...namespaces, 'env', '-i', PATH, command, ...args], { maxBuffer: 1 << 24 });
    return stdout;
  }

  static async #end(child: ChildProcess): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    child.kill('SIGKILL');
    await once(child, 'exit');
    // The last of its processes may still be on their way out.
    await sleep(500);
  }
}
