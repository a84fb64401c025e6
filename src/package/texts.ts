/** What Debian wants to be told of a package: control file, changelog, licences. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

export const MAINTAINER = 'unipath maintainers <maintainers@users.noreply.unipath.invalid>';

/** Debian's names of what process.arch says. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };

/** @throws Error for a machine that packages are not made for */
export function debianArchitecture(arch: string): string {
  const name = ARCHITECTURES[arch];
  if (name === undefined) throw new Error(`there are packages for ${Object.values(ARCHITECTURES).join(' and ')} only, and this machine is ${arch}`);
  return name;
}

/**
 * @param glibc version that the addons were linked with: older ones may lack something that they call
 * @param installedKiB what the files take
 */
export function controlFile(version: string, arch: string, glibc: string, installedKiB: number): string {
  const depends = [`libc6 (>= ${glibc})`, 'libgcc-s1', 'libstdc++6', 'libbpf1 (>= 1:1.1)', 'libsystemd0', 'ethtool', 'iproute2', 'systemd'];
  return [
    'Package: unipath',
    `Version: ${version}`,
    `Architecture: ${debianArchitecture(arch)}`,
    `Maintainer: ${MAINTAINER}`,
    `Installed-Size: ${installedKiB}`,
    'Section: net',
    'Priority: optional',
    `Depends: ${depends.join(', ')}`,
    'Suggests: libvirt-clients, prometheus',
    'Description: accelerated-path controller for KVM hosts',
    ' Moves the traffic of virtual machine NICs between their software path',
    ' (virtio, tap, bridge) and an SR-IOV virtual function, and back, with no',
    ' connection lost. XDP programs choose path, queue and CPU of each frame;',
    ' the daemon keeps them right and tells Prometheus what they do.',
    '',
  ].join('\n');
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** RFC 5322, in UTC. */
function mailDate(date: Date): string {
  const two = (number: number): string => String(number).padStart(2, '0');
  const day = `${DAYS[date.getUTCDay()]}, ${two(date.getUTCDate())} ${MONTHS[date.getUTCMonth()]} ${date.getUTCFullYear()}`;
  return `${day} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())} +0000`;
}

export function changelog(version: string, date: Date): string {
  return `unipath (${version}) unstable; urgency=medium\n\n  * Made from the project's own sources.\n\n -- ${MAINTAINER}  ${mailDate(date)}\n`;
}

const MIT = `Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation files (the
"Software"), to deal in the Software without restriction, including without limitation the rights to use, copy, modify, merge, publish,
distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is furnished to do so, subject to
the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF
MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY
CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN CONNECTION WITH THE
SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.`;

const ruled = (title: string): string => `${title}\n${'-'.repeat(title.length)}\n`;

/** Of a package of npm, as its folder has it. */
function licenceOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Readonly<Record<string, string>>;
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  return `${ruled(`${name} ${version} (${license ?? 'licence as below'})`)}\n${file === undefined ? '' : readFileSync(join(folder, file), 'utf8').trim()}\n`;
}

/** Where distributions and archives put it. */
function licenceOfNode(node: string): string {
  const prefix = dirname(dirname(node));
  const file = [join(prefix, 'LICENSE'), join(prefix, 'share/doc/nodejs/LICENSE'), '/usr/share/doc/nodejs/copyright'].find((path) => existsSync(path));
  return `${ruled('Node.js')}\n${file === undefined ? 'MIT, and what is named in https://github.com/nodejs/node/blob/main/LICENSE' : readFileSync(file, 'utf8').trim()}\n`;
}

/** @param packages folders of what goes along; @param node the Node.js that does */
export function copyright(packages: readonly string[], node: string): string {
  const intro = `unipath: Copyright (c) the authors of unipath. MIT; its packet programs (bpf/), as one likes: MIT or GPL-2.0-only\n(/usr/share/common-licenses/GPL-2).\n\n${MIT}\n`;
  return [intro, 'The package has programs of others in it:\n', ...packages.map(licenceOf), licenceOfNode(node)].join('\n');
}
