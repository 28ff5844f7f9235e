import { existsSync } from 'node:fs';
import { chromium, type Browser } from 'playwright-core';
import { skipLoudly } from './skip.js';

const EXECUTABLE = process.env.DFPEER_CHROMIUM ?? '/usr/bin/chromium';

/** Keeps to itself: no updates, no reports, no QUIC. */
const ARGUMENTS = [
  ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
  ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
];

/** A headless Chromium with a profile of its own; without one on this machine the tests are skipped. */
export async function launchChromium(context: Mocha.Context): Promise<Browser> {
  if (!existsSync(EXECUTABLE))
    skipLoudly(context, `no Chromium at ${EXECUTABLE}; install it, or name one with DFPEER_CHROMIUM`);
  return chromium.launch({ executablePath: EXECUTABLE, args: ARGUMENTS });
}
