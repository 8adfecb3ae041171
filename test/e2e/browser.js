// Fills in forms in a real Chromium, by playwright-core. Prints one JSON object: what was seen.
// node browser.js '{"url": …, "width": 390, "height": 844, "script": true, "shots": FOLDER, "steps": [[verb, …], …]}'
"use strict";
const { createRequire } = require("node:module");
const path = require("node:path");
const { chromium } = createRequire(path.join(__dirname, "../../build/node/"))("playwright-core");

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
  "--disable-component-update", "--disable-sync"];

const verbs = {
  open: (page, url) => page.goto(url),
  content: (page, html) => page.setContent(html),
  fill: (page, label, text) => page.getByLabel(label, { exact: false }).first().fill(text),
  check: (page, label) => page.getByLabel(label).check(),
  choose: (page, label, value) => page.getByLabel(label).selectOption(value),
  send: (page, name) => Promise.all([page.waitForNavigation(), page.getByRole("button", { name }).click()]),
  twice: (page, name) => Promise.all([page.waitForNavigation({ waitUntil: "networkidle" }), page.getByRole("button", { name }).dblclick()]),
  tabs: async (page, count, seen) => {
    for (let i = 0; i < count; i++) {
      await page.keyboard.press("Tab");
      seen.tabs.push(await page.evaluate("document.activeElement.name || document.activeElement.type || ''"));
    }
  },
  // What the page is: which widths, which controls have a name for who cannot see them, what the policy stopped.
  look: async (page, name, seen, job) => {
    await page.screenshot({ path: path.join(job.shots, `${name}.png`), fullPage: true });
    seen.looks[name] = await page.evaluate(`(() => {
      const controls = [...document.querySelectorAll("input:not([type=hidden]), textarea, select")];
      return {
        url: location.href, text: document.body.innerText, lang: document.documentElement.lang,
        wide: document.documentElement.scrollWidth > document.documentElement.clientWidth,
        values: Object.fromEntries(controls.map((c) => [c.name, c.type === "checkbox" ? c.checked : c.value])),
        unlabelled: controls.filter((c) => !c.labels || !c.labels.length).map((c) => c.name),
        outside: controls.filter((c) => c.name !== "_gotcha" && (c.getBoundingClientRect().right > innerWidth)).map((c) => c.name),
        trap: (() => { const t = document.querySelector("[name=_gotcha]"); return t && t.getBoundingClientRect().right; })(),
        wrong: [...document.querySelectorAll("[aria-invalid=true]")].map((c) => document.getElementById(c.getAttribute("aria-describedby")).innerText),
        button: (() => { const b = document.querySelector("button"); return b && b.getBoundingClientRect().height; })(),
        background: getComputedStyle(document.querySelector("main") || document.body).maxWidth,
      };
    })()`);
  },
};

(async () => {
  const job = JSON.parse(process.argv[2]);
  const browser = await chromium.launch({ executablePath: job.chromium, args: FLAGS });
  const context = await browser.newContext({ viewport: { width: job.width, height: job.height }, javaScriptEnabled: job.script,
    isMobile: job.width < 600, hasTouch: job.width < 600 });
  const seen = { looks: {}, tabs: [], complaints: [] };
  try {
    const page = await context.newPage();
    page.setDefaultTimeout(30000);
    page.on("console", (message) => message.type() === "error" && seen.complaints.push(message.text()));
    for (const [verb, ...given] of job.steps) await verbs[verb](page, ...given, seen, job);
  } finally {
    await browser.close();
  }
  process.stdout.write(JSON.stringify(seen));
})().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
