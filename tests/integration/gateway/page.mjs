// What a person does on the page, in a real Chromium. Arguments: the page's address, the folder for pictures.
// Every line of the output is a fact for the test; the engines are busy until the test reads "watching".
import {chromium} from "playwright-core";
import {createInterface} from "node:readline";

const [address, folder] = process.argv.slice(2);
const lines = createInterface({input: process.stdin})[Symbol.asyncIterator]();
const browser = await chromium.launch({executablePath: process.env.CHROMIUM, args: ["--no-sandbox"]});
const page = await browser.newPage({viewport: {width: 1200, height: 900}});
const wrong = [], outside = [];
page.on("pageerror", (error) => wrong.push(String(error)));
page.on("console", (message) => message.type() === "error" && wrong.push(message.text()));
page.on("request", (request) => request.url().startsWith(address) || request.url().startsWith("data:") || outside.push(request.url()));
page.on("dialog", (dialog) => { wrong.push("a dialog"); dialog.dismiss(); });
const say = (...facts) => console.log(JSON.stringify(facts));
const status = async (wanted) => page.waitForFunction((text) => document.getElementById("job-status").textContent === text, wanted, {timeout: 30000});
async function ask(problem) {
  await page.goto(`${address}/ui/#/`);
  await page.fill("#problem", problem);
  await page.selectOption("#mode", "parallel");
  await page.fill("#paths", "3");
  await page.focus("form button");
  await page.keyboard.press("Enter");
  await page.waitForSelector("#job:not([hidden])");
}
try {
  await ask("What is $(12 \\cdot 7) + 19 - 3$? <img src=x onerror=alert(1)><script>alert(2)</script> What is (12 * 7) + 19 - 3?");
  await status("running");
  say("watching");
  await lines.next();
  await page.reload();
  await status("answered");
  await page.waitForSelector("#votes meter");
  say("columns", await page.locator(".path").count());
  const steps = await page.locator(".path").first().locator(".step").count();
  const events = await page.evaluate(async () => (await (await fetch(`api/jobs/${location.hash.slice(6)}`)).json()).paths[0].steps.length);
  say("steps", steps === events && steps > 0);
  say("mathematics", await page.locator("#job-problem .katex").count() > 0);
  say("images", await page.locator("#job-problem img").count());
  await page.screenshot({path: `${folder}/job.png`, fullPage: true});
  await page.setViewportSize({width: 400, height: 800});
  say("narrow", await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth));
  say("hold");
  await lines.next();
  await ask("What is (3 * 7) + 19 - 3?");
  await page.click("#cancel");
  await status("cancelled");
  say("cancelled");
  await page.goto(`${address}/ui/#/`);
  await page.waitForSelector("#jobs li");
  say("jobs", await page.locator("#jobs li").count());
  await page.selectOption("#status", "cancelled");
  await page.waitForFunction(() => document.querySelectorAll("#jobs li").length === 1, null, {timeout: 10000});
  say("filtered");
} finally {
  say("wrong", wrong, outside);
  await browser.close();
}
process.exit(0); // the test may not have closed our input
