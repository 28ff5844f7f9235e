import assert from 'node:assert/strict';
import { LOW_SPACE_BYTES, spaceFinding } from '../../../src/cli/doctor/directories.js';
import { checkKernel } from '../../../src/cli/doctor/kernel.js';
import { checkOpenFiles, filesNeeded } from '../../../src/cli/doctor/open-files.js';
import { findingsDocument, renderFindings } from '../../../src/cli/doctor/render.js';
import { findingsOf } from '../../../src/cli/doctor/finding.js';
import type { DoctorContext } from '../../../src/cli/doctor/context.js';
import { toSettings } from '../../../src/cli/to-settings.js';
import { findPlaces } from '../../../src/config/places.js';
import { resolveDaemonConfig } from '../../../src/config/resolve.js';
import { useTemporaryDirectory } from '../../support/temporary-directory.js';

describe('checks of dfdaemon doctor', () => {
  const directory = useTemporaryDirectory();

  async function context(): Promise<DoctorContext> {
    const places = findPlaces({ env: { DFPEER_HOME: directory() }, uid: 1, home: '/' });
    const overrides = { schedulers: [], isLoopbackOnly: false, logLevel: 'info', logMaxFiles: 1 } as const;
    const config = await resolveDaemonConfig({ ...overrides, logMaxFileSizeBytes: 1e6, console: true }, { places });
    return {
      config,
      settings: toSettings(config, '1'),
      running: undefined,
      silent: undefined,
      outputDirectory: undefined,
    };
  }

  const settings: Record<string, string> = {
    'net.ipv4.tcp_congestion_control': 'reno',
    'net.ipv4.tcp_wmem': '4096\t16384\t65536',
    'net.ipv4.tcp_rmem': '4096 131072 6291456',
    'net.core.somaxconn': '128',
  };

  it('judge the kernel by its settings, and give the command that mends them', async () => {
    const findings = await checkKernel(async (name) => settings[name]);
    assert.deepEqual(
      findings.map(({ status, remedy }) => [status, remedy ?? '']),
      [
        ['warn', 'sysctl -w net.ipv4.tcp_congestion_control=bbr, or cubic'],
        ['warn', 'sysctl -w net.ipv4.tcp_wmem="4096 16384 4194304"'],
        ['ok', ''],
        ['warn', 'sysctl -w net.core.somaxconn=4096'],
      ],
    );
  });

  it('say nothing of kernel settings that a system does not have', async () => {
    assert.deepEqual(await checkKernel(async () => undefined), []);
  });

  it('compare the limit on open files with what all caps together need', async () => {
    const doctor = await context();
    const needed = filesNeeded(doctor.settings);
    const limits = (soft: number | string) => async () =>
      `Max processes 1 1\nMax open files            ${soft}   4096   files\n`;
    const status = async (soft: number | string): Promise<string | undefined> =>
      (await checkOpenFiles(doctor, limits(soft)))[0]?.status;
    assert.deepEqual([await status(needed - 1), await status(needed), await status('unlimited')], ['warn', 'ok', 'ok']);
    const [finding] = await checkOpenFiles(doctor, limits(1024));
    assert.match(finding?.remedy ?? '', new RegExp(`LimitNOFILE=${needed}`));
  });

  it('warn when room gets scarce, and fail when there is none', () => {
    const total = 100 * LOW_SPACE_BYTES;
    const statusOf = (free: number): string => spaceFinding(free, total).status;
    assert.deepEqual([statusOf(total / 2), statusOf(2 * LOW_SPACE_BYTES), statusOf(0)], ['ok', 'warn', 'fail']);
  });

  it('are shown a line each with the remedy below, and coloured only on request', () => {
    const found = findingsOf('ports');
    const findings = [found.ok('a is free'), found.warn('b is odd', 'look at b'), found.fail('c is taken', 'free c')];
    assert.equal(
      renderFindings(findings, { colour: false }),
      'ok    a is free\nWARN  b is odd\n      → look at b\nFAIL  c is taken\n      → free c\n\n1 must be mended, 1 worth a look\n',
    );
    assert.ok(renderFindings(findings, { colour: true }).includes('\u001b[31mFAIL'));
    assert.deepEqual(JSON.parse(findingsDocument(findings, '1.2')), { version: '1.2', ok: false, findings });
  });
});
