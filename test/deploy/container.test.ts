import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { parseDynconfig } from '../../src/config/dynconfig.js';
import { parseDaemonConfig } from '../../src/config/load.js';
import { parseByteSize } from '../../src/core/units.js';
import { DaemonProcess, run } from '../support/daemon-process.js';
import { hasProgram, skipLoudly } from '../support/skip.js';
import { useTemporaryDirectory } from '../support/temporary-directory.js';
import { DEPLOY, readDeployed, ROOT } from './support/deploy-files.js';

const MANIFESTS = ['namespace.yaml', 'configmap.yaml', 'network-policy.yaml', 'daemonset.yaml'];

interface Container {
  args: string[];
  ports: { name: string; containerPort: number }[];
  volumeMounts: { name: string; mountPath: string }[];
  securityContext: Record<string, unknown>;
  resources: { requests: Record<string, string>; limits: Record<string, string> };
  [probe: `${string}Probe`]: { httpGet: { path: string; port: string } } | undefined;
}

interface Resource {
  kind: string;
  apiVersion: string;
  metadata: { name: string; namespace?: string };
  data?: Record<string, string>;
  spec?: {
    selector?: { matchLabels: Record<string, string> };
    template?: {
      metadata: { labels: Record<string, string> };
      spec: {
        securityContext: Record<string, unknown>;
        terminationGracePeriodSeconds: number;
        containers: Container[];
        volumes: { name: string; configMap?: { name: string }; emptyDir?: { sizeLimit: string } }[];
      };
    };
  };
}

async function readManifests(): Promise<Resource[]> {
  const texts = await Promise.all(MANIFESTS.map((name) => readDeployed('kubernetes', name)));
  return texts.flatMap((text) =>
    parseAllDocuments(text).map((document) => {
      assert.deepEqual(document.errors, []);
      return document.toJS() as Resource;
    }),
  );
}

describe('the Dockerfile', function () {
  this.timeout(60_000);
  const directory = useTemporaryDirectory();
  let text: string;

  beforeEach(async () => {
    text = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
  });

  /** Arguments of each use of an instruction, continued lines joined. */
  function uses(instruction: string): string[] {
    const lines = text.replaceAll('\\\n', ' ').split('\n');
    return lines.filter((line) => line.startsWith(`${instruction} `)).map((line) => line.slice(instruction.length + 1));
  }

  it('builds in one stage, and runs in another as a numbered user', () => {
    assert.equal(uses('FROM').length, 2);
    for (const image of uses('FROM')) assert.match(image, /^node:\d+-\w+-slim( AS build)?$/);
    assert.match(uses('USER').at(-1) ?? '', /^[1-9]\d*:[1-9]\d*$/);
  });

  it('starts the daemon without a shell, and asks it how it is', () => {
    // Arguments of a container take the place of a CMD; the log is to go to stdout all the same.
    assert.deepEqual(JSON.parse(uses('ENTRYPOINT')[0] ?? ''), ['/opt/dfpeer/bin/dfdaemon', '--console']);
    assert.deepEqual(uses('CMD'), []);
    assert.match(uses('HEALTHCHECK')[0] ?? '', / CMD \["node", "\/opt\/dfpeer\/deploy\/healthcheck\.js"\]$/);
  });

  it('copies what exists, and what .dockerignore lets in', async () => {
    const letIn = (await readFile(join(ROOT, '.dockerignore'), 'utf8'))
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = uses('COPY')
      .filter((args) => !args.startsWith('--from='))
      .flatMap((args) =>
        args
          .replace(/--\S+ /g, '')
          .split(/\s+/)
          .slice(0, -1),
      );
    for (const path of copied) {
      assert.ok(existsSync(join(ROOT, path)), path);
      assert.ok(
        letIn.some((entry) => path === entry || path.startsWith(`${entry}/`)),
        `${path} is ignored`,
      );
    }
  });

  it('opens the ports that a daemon listens on', async () => {
    const ports = uses('EXPOSE').flatMap((line) => line.split(' '));
    assert.deepEqual(ports, ['4000', '4002', '4003', '4005', '4007', '8002']);
  });

  it('has a health check that tells a daemon that runs from one that does not', async () => {
    const script = join(DEPLOY, 'healthcheck.js');
    const daemon = await DaemonProcess.start(join(directory(), 'a'));
    const env = { DFPEER_HEALTH_PORT: String(daemon.ports.health) };
    assert.equal((await run(process.execPath, [script], env)).code, 0);
    await daemon.end();
    const { code, stderr } = await run(process.execPath, [script], env);
    assert.equal(code, 1);
    assert.match(stderr, /\/healthy: .*ECONNREFUSED/);
  });

  it('passes hadolint', async function () {
    if (!hasProgram('hadolint')) skipLoudly(this, 'hadolint is not on PATH');
    const { code, stdout } = await run('hadolint', [join(ROOT, 'Dockerfile')]);
    assert.equal(code, 0, stdout);
  });
});

describe('deploy/kubernetes', function () {
  this.timeout(120_000);

  it('passes the linters that are there', async function () {
    const paths = MANIFESTS.map((name) => join(DEPLOY, 'kubernetes', name));
    const linters = [
      { program: 'kubernetes-validate', args: ['--strict', ...paths] },
      { program: 'kube-linter', args: ['lint', ...paths] },
    ].filter(({ program }) => hasProgram(program));
    if (linters.length === 0) skipLoudly(this, 'neither kubernetes-validate nor kube-linter is on PATH');
    for (const { program, args } of linters) {
      const { code, stdout, stderr } = await run(program, args);
      assert.equal(code, 0, stdout + stderr);
    }
  });

  it('runs without privileges, within bounds', async () => {
    const { spec } = await daemonSet();
    assert.deepEqual(spec.securityContext.seccompProfile, { type: 'RuntimeDefault' });
    assert.equal(spec.securityContext.runAsNonRoot, true);
    const [container] = spec.containers;
    assert.deepEqual(container?.securityContext, {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ['ALL'] },
    });
    for (const resource of ['cpu', 'memory']) {
      assert.ok(container.resources.requests[resource] !== undefined, resource);
      assert.ok(container.resources.limits[resource] !== undefined, resource);
    }
  });

  it('has room for all that its volumes may hold, and a store that stays below its own', async () => {
    const { spec } = await daemonSet();
    const bytes = (quantity: string): number => parseByteSize(`${quantity}B`);
    const volumes = new Map(spec.volumes.map(({ name, emptyDir }) => [name, bytes(emptyDir?.sizeLimit ?? '0')]));
    const total = [...volumes.values()].reduce((sum, each) => sum + each, 0);
    // Without one the volumes' own limits hold.
    const limit = spec.containers[0]?.resources.limits['ephemeral-storage'];
    if (limit !== undefined)
      assert.ok(bytes(limit) > total, `the pod is evicted at ${limit}, its volumes hold ${total}`);
    const data = (await readManifests()).find(({ kind }) => kind === 'ConfigMap')?.data ?? {};
    const { config } = parseDaemonConfig(data['dfdaemon.yaml'] ?? '', 'dfdaemon.yaml');
    const { diskThresholdBytes } = config.gc.policy;
    assert.ok(diskThresholdBytes > 0 && diskThresholdBytes < (volumes.get('store') ?? 0));
  });

  it('asks the health port, and waits for the drain', async () => {
    const { spec } = await daemonSet();
    const [container] = spec.containers;
    const ports = new Map(container?.ports.map(({ name, containerPort }) => [name, containerPort]));
    assert.equal(ports.get('health'), 4003);
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'] as const)
      assert.deepEqual(container?.[probe]?.httpGet, { path: '/healthy', port: 'health' });
    assert.ok(spec.terminationGracePeriodSeconds > 60);
  });

  it('has labels, volumes and names that fit together', async () => {
    const { resource, spec, labels } = await daemonSet();
    for (const [name, value] of Object.entries(resource.spec?.selector?.matchLabels ?? {}))
      assert.equal(labels[name], value);
    const volumes = spec.volumes.map(({ name }) => name).sort();
    assert.deepEqual(spec.containers[0]?.volumeMounts.map(({ name }) => name).sort(), volumes);
    const manifests = await readManifests();
    const config = spec.volumes.find(({ configMap }) => configMap !== undefined)?.configMap;
    assert.ok(manifests.some(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === config?.name));
  });

  it('brings a configuration of which every key has an effect', async () => {
    const { spec } = await daemonSet();
    const data = (await readManifests()).find(({ kind }) => kind === 'ConfigMap')?.data ?? {};
    const { ineffective } = parseDaemonConfig(data['dfdaemon.yaml'] ?? '', 'dfdaemon.yaml');
    assert.deepEqual(ineffective, { unknown: [], ignored: [] });
    assert.ok(parseDynconfig(data['dynconfig.yaml'] ?? '', 'dynconfig.yaml').schedulers.length > 0);
    for (const name of Object.keys(data)) assert.ok(spec.containers[0]?.args.includes(`/etc/dragonfly/${name}`), name);
  });

  async function daemonSet() {
    const resource = (await readManifests()).find(({ kind }) => kind === 'DaemonSet');
    const template = resource?.spec?.template;
    assert.ok(resource !== undefined && template !== undefined);
    return { resource, spec: template.spec, labels: template.metadata.labels };
  }
});
