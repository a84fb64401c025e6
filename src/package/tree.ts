/** What the package puts where on a host. */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { COMPLETION_SCRIPTS } from '../cli/completion.js';
import { MAN_FOLDER } from '../cli/docs/files.js';
import { runtimeFiles, runtimePackages } from '../guest/kit/runtime_files.js';
import { boundObjectPath, hostObjectPath, packageRoot, pluginObjectPath } from '../paths.js';
import { changelog, copyright } from './texts.js';

export interface PackageFile {
  /** In the host's file system. */
  readonly to: string;
  /** A file that is built, or part of this project; or what is in it. */
  readonly source: { readonly file: string } | { readonly text: string };
  readonly isExecutable?: boolean;
  /** As Debian wants manual pages and changelogs. */
  readonly isCompressed?: boolean;
}

export const LIBRARY = '/usr/lib/unipath';
export const DOCUMENTS = '/usr/share/doc/unipath';
/** Configuration: what an administrator has changed is kept. */
export const CONFFILES = ['/etc/unipath/unipath.yaml'];
/** Of the configuration. */
const SCHEMA = join(packageRoot, 'docs', 'unipath.schema.json');
/** Parts of the project that no host runs. */
const NOT_ON_HOSTS = ['lab', 'bench', 'fuzz', 'setup', 'kit', 'package'];

const own = (name: string): { file: string } => ({ file: join(packageRoot, 'src', 'package', 'files', name) });
const inFolder = (folder: string, ending: string): string[] => readdirSync(folder).filter((name) => name.endsWith(ending)).map((name) => join(folder, name));

/** Compiled addons of other machines. */
function otherPrebuilds(arch: string): string[] {
  return ['arm', 'arm64', 'ia32', 'x64'].filter((other) => other !== arch).map((other) => `linux-${other}`);
}

/** The program with what it needs of this project, and its own Node.js. */
function library(version: string, arch: string, node: string): PackageFile[] {
  const skip = new Set([...NOT_ON_HOSTS, ...otherPrebuilds(arch)]);
  const files = [
    join(packageRoot, 'src', 'setup', 'requirements.mjs'),
    hostObjectPath,
    boundObjectPath,
    pluginObjectPath,
    ...runtimeFiles(join(packageRoot, 'build', 'src'), skip),
    ...runtimeFiles(join(packageRoot, 'build', 'maps')),
    ...runtimePackages(packageRoot).flatMap((folder) => runtimeFiles(folder, new Set([...skip, 'docs']))),
  ];
  const inLibrary = files.map((file) => ({ to: join(LIBRARY, file.slice(packageRoot.length)), source: { file } }));
  return [
    ...inLibrary,
    { to: join(LIBRARY, 'package.json'), source: { text: `${JSON.stringify({ name: 'unipath', version, license: 'MIT', private: true, type: 'module' })}\n` } },
    { to: join(LIBRARY, 'bin/node'), source: { file: node }, isExecutable: true },
  ];
}

const pictures = (folder: string): string[] => readdirSync(folder).flatMap((part) => inFolder(join(folder, part), '.svg'));

/** Pages beside what they are about. */
const PAGES = ['README.md', ...['maps', 'bpf', 'grafana', 'src/native', 'src/sriov', 'src/guest/kit/files'].map((folder) => `${folder}/README.md`)];

/** As they lie in the project: what they link to is there. */
function documents(version: string, date: Date, node: string): PackageFile[] {
  const guides = [...PAGES.map((page) => join(packageRoot, page)), ...inFolder(join(packageRoot, 'docs'), '.md'), ...pictures(join(packageRoot, 'docs/gallery')), SCHEMA];
  return [
    ...guides.map((file) => ({ to: join(DOCUMENTS, file.slice(packageRoot.length)), source: { file } })),
    { to: join(DOCUMENTS, 'copyright'), source: { text: copyright(runtimePackages(packageRoot), node) } },
    { to: join(DOCUMENTS, 'changelog.gz'), source: { text: changelog(version, date) }, isCompressed: true },
    ...inFolder(join(packageRoot, MAN_FOLDER), '').map((file) => {
      const section = file.at(-1) ?? '1';
      return { to: `/usr/share/man/man${section}/${basename(file)}.gz`, source: { file }, isCompressed: true };
    }),
  ];
}

export type PackageKind = 'deb' | 'rpm';

/** Where each shell looks for completions of packages. */
const completions = (kind: PackageKind): Readonly<Record<string, string>> => ({
  bash: '/usr/share/bash-completion/completions/unipath',
  zsh: `/usr/share/zsh/${kind === 'deb' ? 'vendor-completions' : 'site-functions'}/_unipath`,
  fish: '/usr/share/fish/vendor_completions.d/unipath.fish',
});

/** What other programs read. */
function shared(): PackageFile[] {
  const folder = join(packageRoot, 'grafana');
  return [
    ...inFolder(join(folder, 'generated'), '.json').map((file) => ({ to: `/usr/share/unipath/grafana/${basename(file)}`, source: { file } })),
    { to: '/usr/share/unipath/unipath.schema.json', source: { file: SCHEMA } },
    { to: '/usr/share/unipath/prometheus/unipath.rules.yml', source: { file: join(folder, 'prometheus/unipath.rules.yml') } },
  ];
}

export interface TreeOptions {
  readonly version: string;
  readonly date: Date;
  /** As process.arch. */
  readonly arch: string;
  /** The Node.js that goes along. */
  readonly node: string;
  readonly kind: PackageKind;
}

/** Every file, folders by themselves. Says nothing of whether what it names has been built. */
export function packageTree({ version, date, arch, node, kind }: TreeOptions): readonly PackageFile[] {
  return [
    ...library(version, arch, node),
    { to: '/usr/bin/unipath', source: own('unipath.sh'), isExecutable: true },
    { to: '/usr/sbin/unipathd', source: own('unipathd.sh'), isExecutable: true },
    { to: '/usr/lib/systemd/system/unipathd.service', source: own('unipathd.service') },
    { to: '/usr/lib/sysusers.d/unipath.conf', source: own('unipath.sysusers') },
    { to: '/usr/lib/tmpfiles.d/unipath.conf', source: own('unipath.tmpfiles') },
    ...(kind === 'deb' ? [{ to: '/usr/share/lintian/overrides/unipath', source: own('lintian-overrides') }] : []),
    { to: CONFFILES[0] ?? '', source: own('unipath.yaml') },
    ...Object.entries(completions(kind)).map(([shell, to]) => ({ to, source: { text: COMPLETION_SCRIPTS[shell] ?? '' } })),
    ...documents(version, date, node),
    ...shared(),
  ];
}

/** Of a file in bytes. */
export function contentOf({ source }: PackageFile): Buffer {
  return 'text' in source ? Buffer.from(source.text) : readFileSync(source.file);
}
