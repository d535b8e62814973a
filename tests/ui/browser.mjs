// A browser that is signed in to the workspace's server, and what tests ask of its pages.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

// Packages stand in the cache folder, not beside this file.
const require = createRequire(process.env.UI_PACKAGES + '/');
const { chromium } = require('playwright-core');
const AXE = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

export const WIDE = { width: 1440, height: 900 };
export const NARROW = { width: 360, height: 800 };

// What a command of the workspace prints.
export function databuild(...words) {
  const [program, ...first] = JSON.parse(process.env.UI_DATABUILD);
  return execFileSync(program, [...first, ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }).trim();
}

export const link = () => databuild('ui', '--no-open');

export class Browser {
  static async start() {
    const self = new Browser();
    // Its sandbox needs namespaces, which containers and root do not give it; it opens nothing but pages of this server.
    self.browser = await chromium.launch({ executablePath: process.env.UI_CHROMIUM, args: ['--no-sandbox', '--disable-dev-shm-usage'] });
    const url = link();
    self.origin = new URL(url).origin;
    const context = await self.browser.newContext({ baseURL: self.origin });
    const page = await context.newPage();
    await page.goto(url);
    self.session = await context.storageState();
    // Until all is done that ends: what still runs goes on until it is canceled.
    await page.goto('/wants/w5');
    await page.waitForFunction(() => document.querySelector('.say').textContent.startsWith('19 of 29'));
    await context.close();
    return self;
  }

  // Runs `test` on a page of a window of its own. Afterwards the console must have nothing to complain of.
  async with(options, test) {
    const { expected = [], ...rest } = options;
    const context = await this.browser.newContext({ baseURL: this.origin, storageState: this.session, viewport: WIDE, ...rest });
    const said = [];
    context.on('console', (message) => { if (['error', 'warning'].includes(message.type())) said.push(message.text()); });
    context.on('weberror', (error) => said.push(String(error.error())));
    context.setDefaultTimeout(30_000);
    try {
      await test(await context.newPage());
      assert.deepEqual(said.filter((text) => !expected.some((part) => text.includes(part))), []);
    } finally {
      await context.close();
    }
  }

  close() {
    return this.browser.close();
  }
}

// Until the page follows what moves.
export const live = (page) => page.waitForSelector('#light[data-is=live]');

// What axe-core finds on a page, a line for each rule and place.
export async function violations(page) {
  // Not by `evaluate`: the pages' policy forbids to evaluate texts.
  const devtools = await page.context().newCDPSession(page);
  await devtools.send('Runtime.evaluate', { expression: AXE });
  await devtools.detach();
  return page.evaluate(async () => {
    const { violations } = await globalThis.axe.run(document, { resultTypes: ['violations'] });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html.slice(0, 200)}: ${failureSummary}`));
  });
}

// How far a page goes beyond the right edge of its window, in pixels.
export const overflow = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
