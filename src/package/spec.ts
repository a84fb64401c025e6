/** What rpmbuild wants to be told of a package: its spec file. Pure. */
import { dirname } from 'node:path';
import { CONFFILES, DOCUMENTS, LIBRARY, type PackageFile } from './tree.js';

/** rpm's names of what process.arch says. */
const ARCHITECTURES: Readonly<Record<string, string>> = { x64: 'x86_64', arm64: 'aarch64' };
/** Folders that are nobody else's, and go with the last file. */
const OWN_FOLDERS = [LIBRARY, DOCUMENTS, '/usr/share/unipath', '/etc/unipath'];

/** @throws Error for a machine that packages are not made for */
export function rpmArchitecture(arch: string): string {
  const name = ARCHITECTURES[arch];
  if (name === undefined) throw new Error(`there are packages for ${Object.values(ARCHITECTURES).join(' and ')} only, and this machine is ${arch}`);
  return name;
}

/** Shell, without its first line. */
export interface RpmScripts {
  readonly pre: string;
  readonly post: string;
  readonly preun: string;
  readonly postun: string;
  readonly posttrans: string;
}

export interface SpecOptions {
  readonly version: string;
  readonly files: readonly PackageFile[];
  /** Version that the addons were linked with. */
  readonly glibc: string;
  /** Where the files lie. */
  readonly folder: string;
  readonly scripts: RpmScripts;
}

/** @throws Error for one that rpm would take for a pattern or a macro */
function checkPath(path: string): string {
  if (/[\s*?[\]{}"'\\%]/.test(path)) throw new Error(`${path} cannot be in a package of rpm: it has a character that has a meaning there`);
  return path;
}

function fileLine({ to, isExecutable }: PackageFile): string {
  const kind = CONFFILES.includes(to) ? '%config(noreplace) ' : to.startsWith(`${DOCUMENTS}/`) ? '%doc ' : '';
  return `${kind}%attr(${isExecutable === true ? '0755' : '0644'}, root, root) ${checkPath(to)}`;
}

/** Its own folders, from above. */
function foldersOf(files: readonly PackageFile[]): string[] {
  const folders = new Set<string>();
  for (const { to } of files) {
    for (let folder = dirname(to); OWN_FOLDERS.some((own) => folder === own || folder.startsWith(`${own}/`)); folder = dirname(folder)) folders.add(folder);
  }
  return [...folders].sort();
}

const REQUIRES = ['libstdc++', 'libgcc', 'libbpf >= 1.1', 'systemd-libs', 'systemd', 'ethtool', 'iproute', 'iproute-tc', 'util-linux'];

export function specFile({ version, files, glibc, folder, scripts }: SpecOptions): string {
  const section = (name: keyof RpmScripts): string => `%${name}\n${scripts[name].replaceAll('%', '%%').trim()}\n`;
  return `# Addons and Node.js as their makers built them: nothing is stripped, and what they need is said below.
%global debug_package %{nil}
%global __os_install_post %{nil}
%global _build_id_links none
%global _missing_build_ids_terminate_build 0
Name: unipath
Version: ${version.replaceAll('-', '~')}
Release: 1
Summary: Accelerated-path controller for KVM hosts
License: MIT AND (MIT OR GPL-2.0-only)
AutoReqProv: no
Requires: glibc >= ${glibc}
${REQUIRES.map((each) => `Requires: ${each}\n`).join('')}Suggests: libvirt-client

%description
Moves the traffic of virtual machine NICs between their software path
(virtio, tap, bridge) and an SR-IOV virtual function, and back, with no
connection lost. XDP programs choose path, queue and CPU of each frame;
the daemon keeps them right and tells Prometheus what they do.

%install
mkdir -p "%{buildroot}"
cp -a "${checkPath(folder)}/." "%{buildroot}/"

${(['pre', 'post', 'preun', 'postun', 'posttrans'] as const).map(section).join('\n')}
%files
${foldersOf(files).map((each) => `%dir %attr(0755, root, root) ${checkPath(each)}\n`).join('')}${files.map((file) => `${fileLine(file)}\n`).join('')}`;
}
