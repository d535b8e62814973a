// What people do with the pages, in a real browser. They come in order: later ones change what the workspace holds.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, test } from 'node:test';
import { Browser, databuild, link, live, NARROW, overflow, violations, WIDE } from './browser.mjs';

let browser;
before(async () => { browser = await Browser.start(); });
after(() => browser?.close());

const heading = (page) => page.textContent('h1');

// Runs of a state, newest first.
const runs = (state) => JSON.parse(databuild('runs', '--state', state, '--json')).data.map((run) => run.id);

// Draws a rectangle over cells of a figure, each a column and a row as it names them.
async function brush(page, ...cells) {
  const figure = page.locator('svg.sel');
  const box = await figure.boundingBox();
  const data = await figure.evaluate((svg) => ({ ...svg.dataset }));
  const numbers = (text) => text.split(' ').map(Number);
  const [width, height, gap] = numbers(data.cell), [left, top, block] = numbers(data.from), slots = numbers(data.slots);
  const [from, to] = cells.map(([column, row]) => {
    const slot = slots[data.columns.split(' ').indexOf(column)], across = Math.floor(slot / data.per), down = slot % data.per;
    return [
      box.x + left + across * (width + gap) + width / 2,
      box.y + top + data.rows.split(' ').indexOf(row) * block + down * (height + gap) + height / 2,
    ];
  });
  await page.mouse.move(...from);
  await page.mouse.down();
  await page.mouse.move(...to, { steps: 5 });
  assert.equal(await page.locator('.brush').count(), 1);
  await page.mouse.up();
}

test('nobody sees a page without a link, and a link is good once', () =>
  browser.with({ storageState: undefined, expected: ['401'] }, async (page) => {
    const refused = await page.goto('/runs');
    assert.equal(refused.status(), 401);
    assert.match(await heading(page), /Sign in from a terminal/);
    assert.match(await page.textContent('pre'), /-- ui$/);
    const url = link();
    await page.goto(url);
    assert.equal(page.url(), browser.origin + '/');
    assert.equal(await heading(page), 'Now');
    await page.context().clearCookies();
    assert.equal((await page.goto(url)).status(), 401);
    assert.deepEqual(await page.context().cookies(), []);
  }));

test('who signed in by a token sees pages until it is revoked, and then why not', () =>
  browser.with({ storageState: undefined, expected: ['401', '403'] }, async (page) => {
    const token = databuild('token', 'create', 'viewer', '--scope', 'read');
    const made = await fetch(browser.origin + '/api/v1/sign-in-links', { method: 'POST', headers: { authorization: `Bearer ${token}` } });
    await page.goto(browser.origin + (await made.json()).path);
    await page.goto('/wants/w5?ask=cancel');
    assert.ok(await page.isDisabled('button:has-text("Cancel the want")'));
    assert.match(await page.textContent('main'), /needs a token with the scope operate/);
    await page.goto('/runs');
    await live(page);
    databuild('token', 'revoke', 'viewer');
    // The stream ends, and the page asks why.
    await page.waitForFunction(() => document.querySelector('h1').textContent.startsWith('Sign in'));
    assert.match(await page.textContent('main'), /You were signed out, since the token/);
    assert.deepEqual(await violations(page), []);
  }));

// Every page, by a name.
function pages() {
  const [failed, other] = runs('failed');
  return {
    now: '/',
    datasets: '/datasets',
    dataset: '/datasets/sales/features',
    selected: '/datasets/sales/features?sel=sales/features/city=seattle/date=2026-08-20..2026-09-20',
    history: '/datasets/sales/features?tab=history',
    code: '/datasets/sales/features?tab=code',
    checks: '/datasets/sales/features?tab=checks',
    hours: '/datasets/weather/hourly',
    'a dataset of one partition': '/datasets/weather/summary',
    graph: '/graph',
    'folded graph': '/graph?fold=true',
    'around a dataset': '/graph?around=sales/features&depth=1',
    'inside a package': '/graph?package=sales',
    runs: '/runs?state=failed',
    'failed run': `/runs/${failed}`,
    'a search': `/runs/${failed}?search=row`,
    wants: '/wants',
    'open want': '/wants/w5',
    'failed want': '/wants/w4',
    question: '/wants/w5?ask=cancel',
    partitions: '/partitions?ref=sales/features&state=stale',
    partition: '/partition?ref=sales/features/city=rome/date=2026-10-18',
    plans: '/plans',
    queue: '/queue',
    automation: '/automation',
    schedule: '/automation/weather/rare',
    'a paused schedule': '/automation/sales/yearly',
    'to pause a schedule': '/automation/weather/rare?ask=pause',
    server: '/server',
    timeline: '/timeline',
    'a timeline of one want': '/timeline?want=w5',
    'a timeline of long ago': '/timeline?from=2024-01-01T00:00:00Z&until=2024-01-02T00:00:00Z',
    events: '/events',
    'events of a run': `/events?run=${failed}&kind=attempt_ended`,
    event: '/events/1',
    changes: '/changes',
    change: '/changes/latest',
    'the first graph': '/changes/1',
    judgement: '/changes/latest?ask=judge&job=//:hourly',
    'all checks': '/checks',
    'a check': '/checks?check=//:usual&ref=sales/report',
    'two runs': `/compare?a=${other}&b=${failed}`,
    'then and now': '/compare?a=weather/hourly/hour=2026-10-20T00',
    'nothing to compare': '/compare',
    error: '/runs/r999999',
  };
}

const sizes = process.env.UI_LONG ? { wide: WIDE, narrow: NARROW } : { wide: WIDE };
for (const [size, viewport] of Object.entries(sizes)) {
  for (const theme of ['light', 'dark']) {
    test(`every page is accessible and quiet: ${theme}, ${size}`, () =>
      browser.with({ colorScheme: theme, viewport, expected: ['404'] }, async (page) => {
        for (const [name, path] of Object.entries(pages())) {
          const answer = await page.goto(path);
          assert.equal(answer.status(), name === 'error' ? 404 : 200, name);
          if (name !== 'error') await live(page);
          assert.deepEqual(await violations(page), [], name);
          assert.ok((await overflow(page)) <= 0, `${name} is wider than its window`);
        }
      }));
  }
}

// The words of a command line, as a shell reads them.
const words = (line) => execFileSync('/bin/sh', ['-c', `printf '%s\\0' ${line}`], { encoding: 'utf8' }).split('\0').slice(0, -1);

test('the commands that pages name are commands that there are', () =>
  browser.with({ expected: ['404'] }, async (page) => {
    const lines = new Set();
    for (const path of [...Object.values(pages()), ...['pause', 'backfill'].map((ask) => `/wants/w5?ask=${ask}`)]) {
      await page.goto(path);
      for (const line of await page.locator('code').allTextContents()) if (line.startsWith('databuild ')) lines.add(line);
    }
    assert.ok(lines.size > 10, [...lines].join(', '));
    // With `--help` nothing is done; what comes before it is read all the same, and refused if it makes no sense.
    for (const line of lines) databuild(...words(line).slice(1), '--help');
  }));

test('why a run failed is two clicks and a search away', () =>
  browser.with({}, async (page) => {
    await page.goto('/');
    await page.click('#failed tbody a.err');
    assert.match(page.url(), /\/runs\/r\d+$/);
    assert.match(await heading(page), /failed/);
    await page.fill('input[name=search]', 'valueerror');
    await page.keyboard.press('Enter');
    await page.waitForURL(/search=valueerror/);
    assert.deepEqual(await page.locator('#log mark').allTextContents(), ['ValueError']);
  }));

test('pages read the same without script', () =>
  browser.with({ javaScriptEnabled: false, expected: ['404'] }, async (page) => {
    for (const [name, path] of Object.entries(pages())) {
      await page.goto(path);
      assert.ok((await heading(page)).length > 0, name);
      assert.ok(await page.locator('main').innerText(), name);
    }
    await page.goto('/');
    assert.match(await page.textContent('#failed'), /sales\/features/);
    await page.goto('/runs');
    await page.selectOption('select[name=state]', 'failed');
    await page.click('button:has-text("Show")');
    assert.match(page.url(), /state=failed/);
    assert.equal(await page.locator('tbody tr').count(), 3);
  }));

test('the keyboard is enough', () =>
  browser.with({}, async (page) => {
    await page.goto('/');
    await live(page);
    await page.keyboard.press('g');
    await page.keyboard.press('r');
    await page.waitForURL(/\/runs$/);
    await page.keyboard.press('j');
    await page.keyboard.press('j');
    const second = await page.locator('tbody tr').nth(1).locator('a').first().textContent();
    assert.equal(await page.evaluate(() => document.activeElement.textContent), second);
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/runs\/r\d+$/);
    await page.keyboard.press('?');
    assert.equal(await page.locator('dialog[open]').count(), 1);
    assert.deepEqual(await violations(page), []);
    await page.keyboard.press('Escape');
    await page.keyboard.press('t');
    assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), 'dark');
    await page.keyboard.press('/');
    await page.keyboard.type('sales/orders');
    await page.keyboard.press('Enter');
    await page.waitForURL(/\/datasets\/sales\/orders/);
  }));

test('the graph is walked along its edges, and opened package by package', () =>
  browser.with({}, async (page) => {
    await page.goto('/graph?around=sales/features');
    await live(page);
    const at = () => page.evaluate(() => document.activeElement.querySelector('title')?.textContent.split(':')[0]);
    await page.locator('.graph .mid').focus();
    for (const [key, expected] of [['ArrowRight', 'sales/report'], ['ArrowRight', 'sales/report'], ['ArrowLeft', 'sales/features'], ['ArrowLeft', 'sales/orders']]) {
      await page.keyboard.press(key);
      assert.equal(await at(), expected);
    }
    await page.keyboard.press('Enter');
    await page.waitForURL(/around=sales\/orders/);
    assert.match(await page.textContent('#middle'), /made by\s*\/\/:orders/);
    await page.goto('/graph?fold=true');
    await page.click('.graph a:has-text("sales/")');
    await page.waitForURL(/package=sales$/);
    assert.deepEqual((await page.locator('#nodes tbody b').allTextContents()).sort(), ['sales/features', 'sales/orders', 'sales/report']);
    await page.keyboard.press('g');
    await page.keyboard.press('g');
    await page.waitForURL(/\/graph$/);
  }));

test('what is brushed in a figure is planned, and the plan applied', () =>
  browser.with({}, async (page) => {
    await page.goto('/datasets/sales/features');
    await live(page);
    await brush(page, ['2026-09-10', 'rome'], ['2026-09-12', 'seattle']);
    await page.waitForURL(/sel=/);
    assert.equal(new URL(page.url()).searchParams.get('sel'), 'sales/features/city=rome+seattle/date=2026-09-10..2026-09-12');
    await page.click('#selected button');
    await page.waitForURL(/\/plans\/p\d+$/);
    assert.match(await page.textContent('#groups'), /sales\/features\/city=seattle\/date=2026-09-10\.\.2026-09-12/);
    assert.deepEqual(await violations(page), []);
    await page.click('#groups button:has-text("partitions")');
    await page.waitForURL(/\/wants\/w\d+$/);
    assert.match(await page.textContent('main'), /city=rome\+seattle\/date=2026-09-10\.\.2026-09-12/);
  }));

test('Now moves by itself', () =>
  browser.with({}, async (page) => {
    await page.goto('/');
    await live(page);
    const want = JSON.parse(databuild('want', 'create', 'sales/features/city=oslo/date=2026-10-21', '--comment', 'asked for meanwhile', '--json')).id;
    await page.waitForSelector(`#wants a:text-is("${want}")`);
  }));

test('the log of a live run grows, and a cancel shows as it happens', () =>
  browser.with({}, async (page) => {
    await page.goto('/');
    await page.click('#running tbody a.m');
    await live(page);
    const lines = () => page.locator('.log li').count();
    await page.waitForSelector('.log li');
    const first = await lines();
    await page.waitForFunction((first) => document.querySelectorAll('.log li').length > first + 3, first);
    await page.click('text=Cancel this run');
    await page.waitForURL(/ask=/);
    assert.match(await heading(page), /^Cancel /);
    await page.click('button:has-text("Cancel the run")');
    await page.waitForURL(/\/runs\/r\d+$/);
    await page.waitForFunction(() => document.querySelector('h1').textContent.includes('canceled'));
  }));

test('a want is paused and canceled, each after a question', () =>
  browser.with({}, async (page) => {
    await page.goto('/wants/w6');
    await page.click('text=Pause');
    await page.click('button:has-text("Pause the want")');
    await page.waitForFunction(() => document.querySelector('h1').textContent.includes('paused'));
    await page.click('a.btn:has-text("Cancel")');
    await page.click('button:has-text("Cancel the want")');
    await page.waitForFunction(() => document.querySelector('h1').textContent.includes('canceled'));
  }));

test('what a graph changed is judged after a question, and the log says who did', () =>
  browser.with({}, async (page) => {
    await page.goto('/changes');
    await page.click('#changes tbody a');
    assert.match(await page.textContent('#jobs'), /weather\/rounding\.py changed/);
    assert.match(await page.textContent('#stale'), /weather\/hourly/);
    await page.click('summary:has-text("Markdown")');
    assert.match(await page.inputValue('#markdown'), /changed `weather\/rounding\.py`/);
    await page.click('text=Judge');
    await page.fill('input[name=reason]', 'it only rounds');
    await page.click('button:has-text("Accept")');
    await page.waitForURL(/\/changes\/\d+$/);
    assert.match(await page.textContent('.say'), /Nothing is stale because of it now/);
    assert.match(await page.textContent('#accepted'), /it only rounds/);
    await page.goto('/events?kind=code_accepted');
    await page.click('#events tbody a');
    assert.match(await page.textContent('#data'), /it only rounds/);
  }));

test('a run is compared with what its job would do now', () =>
  browser.with({}, async (page) => {
    const [run] = runs('completed');
    await page.goto(`/runs/${run}`);
    await page.click('text=Compare it');
    await page.waitForURL(/\/compare\?a=r\d+$/);
    assert.match(await heading(page), / and now$/);
  }));

test('windows share one stream, and another one takes it over', () =>
  browser.with({}, async (first) => {
    const context = first.context();
    const streams = [], isStream = (request) => new URL(request.url()).pathname === '/live';
    context.on('request', (request) => { if (isStream(request)) streams.push(request.frame().page()); });
    await first.goto('/');
    await live(first);
    const others = [];
    // More than a browser has connections.
    for (const path of ['/runs', '/wants', '/plans', '/datasets', '/events', '/queue', '/checks', '/server']) {
      const page = await context.newPage();
      others.push(page);
      await page.goto(browser.origin + path);
      await live(page);
    }
    assert.deepEqual([...new Set(streams)], [first]);
    const plans = await others[2].locator('#plans tbody tr').count();
    databuild('plan', 'weather/hourly', '--refresh', 'all');
    await others[2].waitForFunction((before) => document.querySelectorAll('#plans tbody tr').length !== before, plans);
    const taken = context.waitForEvent('request', isStream);
    await first.close();
    assert.ok(others.includes((await taken).frame().page()));
  }));

test('on a narrow screen the navigation shows all pages', () =>
  browser.with({ viewport: NARROW }, async (page) => {
    await page.goto('/server');
    for (const entry of await page.locator('nav.side li a').all()) {
      const box = await entry.boundingBox();
      assert.ok(box.x >= 0 && box.x + box.width <= NARROW.width, `${await entry.textContent()} is cut`);
    }
  }));

test('failures that were seen are not told of again', () =>
  browser.with({}, async (page) => {
    await page.goto('/');
    await page.click('text=Mark as seen');
    await page.waitForFunction(() => document.querySelector('.say').textContent.includes('Nothing has failed since you looked'));
  }));

test('a page says that its server is gone', () =>
  browser.with({ expected: ['ERR_'] }, async (page) => {
    await page.goto('/');
    await live(page);
    databuild('stop', '--jobs');
    await page.waitForSelector('#light[data-is=gone]');
  }));
