import assert from 'node:assert/strict';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { launchChromium } from '../support/chromium.js';
import { DaemonProcess, type ProcessResult } from '../support/daemon-process.js';
import { Origin } from '../support/origin.js';
import { until } from '../support/until.js';

/** Of an element, whose type only browsers have. */
interface Sized {
  scrollWidth: number;
  clientWidth: number;
}

const MIB = 1024 * 1024;
// dist/test/behaviour → the project's root
const SCREENSHOTS = fileURLToPath(new URL('../../../test-results/status-page/', import.meta.url));

describe('the status page in a browser', function () {
  this.timeout(120_000);
  let directory = '';
  let browser: Browser;
  let origin: Origin;
  let parent: DaemonProcess;
  let child: DaemonProcess;
  let running: Promise<ProcessResult>;
  const strays: string[] = [];

  before(async function () {
    browser = await launchChromium(this);
    directory = await mkdtemp(join(tmpdir(), 'dfpeer-status-page-'));
    await mkdir(SCREENSHOTS, { recursive: true });
    origin = await Origin.start(96 * MIB);
    parent = await DaemonProcess.start(join(directory, 'parent'), { upload: { bandwidthLimit: '1MiB' } });
    const scheduler = { addrs: [`127.0.0.1:${parent.ports.scheduler ?? 0}`], embedded: { enable: false } };
    child = await DaemonProcess.start(join(directory, 'child'), { scheduler, someday: true });
    const url = origin.url('/images/model-weights.bin?X-Amz-Signature=secret');
    assert.equal((await parent.dfget(url, '-O', join(directory, 'first'))).code, 0);
    const small = origin.url('/small.txt');
    assert.equal((await child.dfget(small, '-O', join(directory, 'small'), '--range', '0-1000')).code, 0);
    // Throttled by the parent for as long as these tests take.
    running = child.dfget(url, '-O', join(directory, 'second'), '--disable-back-to-source');
  });

  after(async () => {
    await Promise.all([parent?.end('SIGKILL'), child?.end('SIGKILL')]);
    await running;
    await browser?.close();
    await origin?.close();
    if (directory !== '') await rm(directory, { recursive: true, force: true });
  });

  async function open(daemon: DaemonProcess, colorScheme: 'light' | 'dark', width: number): Promise<Page> {
    const address = `http://127.0.0.1:${daemon.ports.statusPage ?? 0}`;
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 900 }, reducedMotion: 'reduce' });
    page.on('console', (message) => strays.push(`console: ${message.text()}`));
    page.on('pageerror', (error) => strays.push(`error: ${error.message}`));
    page.on('request', (request) => {
      if (!request.url().startsWith(`${address}/`)) strays.push(`request: ${request.url()}`);
    });
    await page.goto(address);
    await page.locator('#connection[data-state="live"]').waitFor();
    return page;
  }

  for (const colorScheme of ['light', 'dark'] as const)
    for (const width of [400, 1280])
      it(`shows a throttled upload in a ${colorScheme} window of ${width} pixels, and nothing sticks out`, async () => {
        const page = await open(parent, colorScheme, width);
        const row = page.locator('#transfers tr', { hasText: 'copy' }).first();
        await row.waitFor();
        assert.match(await row.innerText(), /up\s+127\.0\.0\.1/);
        await page.locator('#out-rate', { hasText: /[KM]iB/ }).waitFor();
        assert.ok((await page.evaluate<number>('document.documentElement.scrollWidth')) <= width);
        await page.screenshot({ path: join(SCREENSHOTS, `parent-${colorScheme}-${width}.png`), fullPage: true });
        await page.close();
      });

  for (const [colorScheme, width] of [
    ['light', 1280],
    ['dark', 400],
  ] as const)
    it(`shows the child's side, with its piece map, in a ${colorScheme} window of ${width} pixels`, async () => {
      const page = await open(child, colorScheme, width);
      await page.locator('#transfers tr', { hasText: 'parent' }).first().waitFor();
      assert.equal(await page.locator('#hosts tr').count(), 1);
      const map = page.locator('#tasks svg').first();
      assert.match((await map.getAttribute('aria-label')) ?? '', /^\d+ of 24 pieces stored$/);
      await page.screenshot({ path: join(SCREENSHOTS, `child-${colorScheme}-${width}.png`), fullPage: true });
      await page.close();
    });

  it('names URLs without their secrets', async () => {
    const page = await open(parent, 'light', 1280);
    await page.locator('#tasks li').first().waitFor();
    const text = await page.locator('body').innerText();
    assert.match(text, /model-weights\.bin\?X-Amz-Signature=redacted/);
    assert.doesNotMatch(text, /secret/);
    await page.close();
  });

  it('can be used by keyboard and screen reader', async () => {
    const page = await open(parent, 'light', 1280);
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate('document.activeElement.className'), 'skip');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate('document.activeElement.id'), 'transfers-title');
    for (const role of ['banner', 'main', 'contentinfo'] as const) assert.equal(await page.getByRole(role).count(), 1);
    for (const name of ['Transfers', 'Tasks', 'Hosts', 'Limits', 'Warnings'])
      assert.equal(await page.getByRole('heading', { name }).count(), 1, name);
    assert.ok((await page.getByRole('columnheader').count()) > 15);
    const pause = page.getByRole('button', { name: 'Pause' });
    await pause.focus();
    assert.equal(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'), 'solid');
    await page.keyboard.press('Enter');
    assert.equal(await pause.getAttribute('aria-pressed'), 'true');
    await page.getByRole('status').filter({ hasText: 'paused' }).waitFor();
    await page.close();
  });

  it('shows a limit that an operator sets, as soon as it is in force', async () => {
    const page = await open(parent, 'light', 1280);
    await page.locator('#limits tr', { hasText: '1.0 MiB/s' }).waitFor();
    const socket = ['--endpoint', parent.socketPath];
    assert.equal((await parent.dfdaemon('limits', '--upload', '2MiB', ...socket)).code, 0);
    const row = page.locator('#limits tr', { hasText: 'operator' });
    await row.waitFor();
    assert.match(await row.innerText(), /all uploads\s+2\.0 MiB\/s/);
    await page.close();
  });

  it('says so of limits that nobody has set, and of a task of one piece', async () => {
    const page = await open(child, 'light', 1280);
    assert.match(await page.locator('#limits tr').first().innerText(), /all uploads\s+46\.6 GiB\/s\s+no\s+nobody/);
    const ofOnePiece = await page.evaluate<string>(`import('./tasks.js').then(({ showTasks }) => {
      const task = { id: 'a', url: 'u', storedBytes: 1, complete: true, storedPieces: 1, pinnedBy: [], pieceMap: 'o' };
      showTasks({ entries: [task], total: 1 }, 1, 0);
      return document.querySelector('#tasks .about').innerText;
    })`);
    assert.match(ofOnePiece, /^1 piece$/m);
    await page.close();
  });

  it('shows all of a URL in a narrow window', async () => {
    const page = await open(parent, 'light', 320);
    const name = page.locator('#tasks .name').first();
    await name.waitFor();
    assert.ok(
      await name.evaluate((node) => (node as unknown as Sized).scrollWidth <= (node as unknown as Sized).clientWidth),
    );
    await page.close();
  });

  it('gets what it missed from the daemon when a lost connection is back, and is not live before', async () => {
    const page = await open(parent, 'light', 1280);
    let isDown = true;
    const histories: string[] = [];
    page.on('request', (request) => {
      if (request.url().endsWith('/api/history')) histories.push(request.url());
    });
    await page.route('**/api/events', async (route) =>
      isDown ? route.fulfill({ status: 503, body: 'not now' }) : route.fallback(),
    );
    await page.reload();
    const connection = page.locator('#connection[data-state="lost"]');
    await connection.waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    assert.equal(await connection.innerText(), 'connection lost, trying again');
    await page.getByRole('button', { name: 'Pause' }).click();
    const before = histories.length;
    isDown = false;
    await page.locator('#connection[data-state="live"]').waitFor();
    await until('the history', async () => histories.length === before + 1);
    await page.close();
    strays.splice(0, strays.length, ...strays.filter((stray) => !stray.includes('503')));
  });

  it('asked nobody else for anything, and broke no rule of its own policy', () => {
    assert.deepEqual(strays, []);
  });
});
