// What a person does on the page, in a real Chromium. Arguments: the scenario, the page's address, the folder for
// pictures. Every line of the output is a fact for the test. At "watching" and "hold" it goes on when the test says so.
import {readFileSync} from "node:fs";
import {createRequire} from "node:module";
import {createInterface} from "node:readline";
import {chromium} from "playwright-core";

const [scenario, address, folder] = process.argv.slice(2);
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const LIMIT = {timeout: 90000};
const lines = createInterface({input: process.stdin})[Symbol.asyncIterator]();
const browser = await chromium.launch({executablePath: process.env.CHROMIUM, args: ["--no-sandbox"]});
const page = await browser.newPage({viewport: {width: 1200, height: 900}});
const wrong = [], outside = [];
page.on("pageerror", (error) => wrong.push(String(error)));
page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
page.on("request", (request) => request.url().startsWith(address) || request.url().startsWith("data:") || outside.push(request.url()));
page.on("dialog", (dialog) => { wrong.push("a dialog"); dialog.dismiss(); });

const say = (...facts) => console.log(JSON.stringify(facts));
const told = async (name) => { say(name); await lines.next(); };
const status = (wanted) => page.waitForFunction((text) => document.getElementById("job-status").textContent === text, wanted, LIMIT);
const home = async () => {
  await page.goto(`${address}/ui/#/`);
  await page.waitForFunction(() => document.querySelectorAll("#mode option").length > 1, null, LIMIT);
};

async function ask(problem, mode = "parallel") {
  await home();
  await page.fill("#problem", problem);
  await page.selectOption("#mode", mode);
  await page.fill("#paths", "3");
  await page.focus("form button");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#job:not([hidden])");
}

// By path: the steps that are shown, and those that the API has. Texts cannot tell them apart: a path may repeat one.
async function steps() {
  return page.evaluate(async () => {
    const job = await (await fetch(`api/jobs/${location.hash.slice(6)}`)).json();
    return job.paths.map((path) => ({
      shown: [...document.querySelectorAll(`#path-${path.id} .step`)].map((step) => step.id),
      had: path.steps.map((step) => `path-${path.id}-step-${step.index}`),
    }));
  });
}

async function violations(where) {
  await page.evaluate(AXE);
  const found = await page.evaluate(() => window.axe.run(document, {resultTypes: ["violations"]}));
  for (const one of found.violations) wrong.push(`${where}: ${one.id}: ${one.nodes[0].target}`);
}

// Nothing to scroll to the side at 400 px, and nothing that axe finds, dark and light.
async function suitsEverybody(where) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({colorScheme});
    await violations(`${where}, ${colorScheme}`);
  }
  await page.emulateMedia({colorScheme: "light"});
  await page.setViewportSize({width: 400, height: 800});
  say(`narrow ${where}`, await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  await page.setViewportSize({width: 1200, height: 900});
}

async function person() {
  await ask("What is $(12 \\cdot 7) + 19 - 3$? <img src=x onerror=alert(1)><script>alert(2)</script> What is (12 * 7) + 19 - 3?", "ssr");
  await status("running");
  await told("watching");
  await page.reload();
  await status("answered");
  await page.waitForSelector("#votes meter");
  say("title", (await page.title()).startsWith("job-"));
  say("columns", await page.locator(".path").count());
  say("steps", ...await steps());
  say("mathematics", await page.locator("#job-problem .katex").count() > 0);
  say("images", await page.locator("#job-problem img").count());
  await suitsEverybody("job");
  await ask("What is (2 * 7) + 19?", "cascade");
  await status("answered");
  say("evidence", /\d+ % sure$/.test(await page.locator("#votes li").first().innerText()));
  await told("hold");
  await ask("What is (3 * 7) + 19 - 3?");
  await page.click("#cancel");
  await status("cancelled");
  say("cancelled");
  await home();
  await page.waitForSelector("#jobs li");
  say("jobs", await page.locator("#jobs li").count());
  await page.click("#more");
  await page.waitForFunction(() => document.querySelectorAll("#jobs li").length === 200, null, LIMIT);
  say("all jobs");
  await page.waitForFunction(() => document.querySelectorAll("#pools dl").length === 2, null, LIMIT);
  say("pools", await page.locator("#pools li").allInnerTexts());
  await suitsEverybody("home");
  await page.selectOption("#status", "cancelled");
  await page.waitForFunction(() => document.querySelectorAll("#jobs li").length === 1, null, LIMIT);
  say("filtered");
  // By the keyboard alone: the first stop leads past the head, and Enter on a job opens it.
  await page.reload();
  await page.waitForSelector("#jobs li");
  await page.keyboard.press("Tab");
  say("skip", await page.evaluate(() => document.activeElement.className));
  for (let stops = 0; stops < 20 && !await page.evaluate(() => document.activeElement.closest("#jobs")); stops++) await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#job:not([hidden])");
  say("by keyboard");
}

// For the documentation.
async function pictures() {
  const picture = (name) => page.screenshot({path: `${folder}/page-${name}.png`});
  await ask("Let $x = (12 * 7) + 19 - 3$. What is $x$?", "ssr");
  await status("answered");
  await page.setViewportSize({width: 1100, height: 820});
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({colorScheme});
    await picture(colorScheme);
  }
  await page.emulateMedia({colorScheme: "light"});
  await page.setViewportSize({width: 400, height: 700});
  await picture("narrow");
  await page.setViewportSize({width: 1100, height: 1000});
  await home();
  await page.evaluate(() => document.getElementById("ask").reset());
  await page.waitForSelector("#pools dl");
  await picture("home");
}

async function killed() {
  await ask("What is (12 * 7) + 19 - 3?");
  await status("running");
  await page.waitForSelector(".step", LIMIT);
  say("before", await page.locator(".step").count());
  await told("watching");
  await status("answered");
  say("steps", ...await steps());
  say("after", await page.locator(".step").count());
}

try {
  await ({person, killed, pictures})[scenario]();
} finally {
  say("wrong", wrong, outside);
  await browser.close();
}
process.exit(0); // the test may not have closed our input
