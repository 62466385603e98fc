"use strict";
// One page over /ui/api: a form and a list of jobs, or one job as it runs. All texts go in as text, never as markup.

const byId = (id) => document.getElementById(id);
const MATH = /\$\$([^]+?)\$\$|\\\[([^]+?)\\\]|\\\(([^]+?)\\\)|\$([^$\n]+?)\$|(\\boxed\{(?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*\})/g;
const FINAL = new Set(["answered", "no_answer", "cancelled", "failed", "partial", "parked"]);
const PAUSE_MS = 500;
let watching = new AbortController();
let nextPage = "";

function say(text) { byId("notice").textContent = text; }

function element(name, text = "", className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  made.className = className;
  return made;
}

function mathematics(text, into) {
  let end = 0;
  for (const match of text.matchAll(MATH)) {
    into.append(text.slice(end, match.index));
    const place = element("span");
    const display = match[1] !== undefined || match[2] !== undefined;
    const options = {displayMode: display, throwOnError: false, trust: false, maxExpand: 200, maxSize: 20};
    try { katex.render(match.slice(1).find((part) => part !== undefined), place, options); }
    catch { place.textContent = match[0]; }
    into.append(place);
    end = match.index + match[0].length;
  }
  into.append(text.slice(end));
  return into;
}

async function api(path, options = {}) {
  const key = byId("key").value.trim();
  const headers = {...(options.body ? {"content-type": "application/json"} : {}), ...(key ? {authorization: `Bearer ${key}`} : {})};
  const reply = await fetch(`api/${path}`, {...options, headers});
  if (!reply.ok) {
    const said = await reply.json().catch(() => ({}));
    throw Object.assign(new Error(said.error?.message ?? `the server answers ${reply.status}`), {status: reply.status});
  }
  return reply;
}

async function* events(id, cursor, signal) {
  // Goes on behind the last event when the connection breaks.
  for (;;) {
    try {
      const reply = await api(`jobs/${encodeURIComponent(id)}/events?cursor=${encodeURIComponent(cursor)}`, {signal});
      let rest = "";
      const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
      for (;;) {
        const {value, done} = await reader.read();
        if (done) break;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        for (const part of parts.filter((part) => part.startsWith("data: "))) {
          const event = JSON.parse(part.slice(6));
          if (event.error) throw new Error(event.error.message);
          cursor = event.cursor;
          yield event;
          if (event.kind === "finished") return;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status && error.status < 500 && error.status !== 429) throw error;
      say(`The connection is lost; trying again (${error.message}).`);
    }
    await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    if (signal.aborted) return;
  }
}

function define(list, entries) {
  list.replaceChildren(...entries.flatMap(([name, value]) => [element("dt", name), element("dd", String(value))]));
}

// One job.

function column(job, index) {
  let found = byId(`path-${index}`);
  if (found) return found;
  found = element("section", "", "path");
  found.id = `path-${index}`;
  const strategy = job.strategies[index];
  found.append(element("h4", `Path ${index}${strategy ? `: ${strategy.name}` : ""}`), element("ol"), element("p", "", "note"));
  const after = [...byId("columns").children].find((other) => Number(other.id.slice(5)) > index);
  byId("columns").insertBefore(found, after ?? null);
  return found;
}

function showStep(job, index, step) {
  const list = column(job, index).querySelector("ol");
  if (step.index < list.children.length) return;
  const item = element("li", "", `step ${step.source}`);
  item.append(mathematics(step.text, element("p")));
  const score = step.score === null ? "" : `, score ${step.score.toFixed(1)} of 9`;
  item.append(element("p", `${step.source}${score}, ${step.tokens} tokens`, "note"));
  list.append(item);
}

function showEnd(job, ended) {
  const note = column(job, ended.path).lastElementChild;
  note.replaceChildren(`${ended.status}${ended.answer ? ": " : ""}`);
  if (ended.answer) mathematics(`$${ended.answer}$`, note);
  if (ended.reason) note.append(` (${ended.reason})`);
}

function showVotes(votes, paths) {
  byId("votes").replaceChildren(...votes.map((vote) => {
    const item = mathematics(`$${vote.answer}$ `, element("li"));
    const meter = element("meter");
    meter.max = Math.max(paths, 1);
    meter.value = vote.paths.length;
    meter.setAttribute("aria-label", `${vote.paths.length} of ${paths} paths`);
    const sure = vote.posterior === null || vote.posterior === undefined ? "" : `, ${(100 * vote.posterior).toFixed(0)} % sure`;
    item.append(meter, ` ${vote.paths.length} of ${paths} paths${sure}`);
    return item;
  }));
}

function forming(ends) {
  const votes = new Map();
  for (const ended of ends.values()) {
    if (!ended.answer) continue;
    const vote = votes.get(ended.answer) ?? {answer: ended.answer, paths: [], posterior: null};
    vote.paths.push(ended.path);
    votes.set(ended.answer, vote);
  }
  const last = [...ends.values()].at(-1);
  if (last?.leader && votes.has(last.leader)) votes.get(last.leader).posterior = last.confidence;
  return [...votes.values()].sort((a, b) => b.paths.length - a.paths.length);
}

function showState(job) {
  byId("job-status").textContent = job.status;
  const waits = job.waiting_for?.length ? `waits for the pool ${job.waiting_for.join(", ")}` : "";
  byId("job-reason").textContent = [job.error, job.reason, waits].filter(Boolean).join("; ");
  byId("cancel").hidden = FINAL.has(job.status);
  if (!FINAL.has(job.status)) return;
  const used = job.usage, ratio = (value) => value === null ? "unknown" : value.toFixed(2);
  define(byId("ledger"), [
    ["Drafted tokens", `${used.drafted_tokens}, of them accepted ${used.accepted_tokens}, rejected ${used.rejected_tokens}`],
    ["Rewritten tokens", used.rewritten_tokens], ["Tokens of the target alone", used.written_tokens],
    ["Scoring and selection tokens", used.scoring_tokens + used.selection_tokens],
    ["Generated FLOPs to the target alone", ratio(used.decode_ratio)],
    ["All FLOPs to the target alone", ratio(used.total_ratio)],
    ...used.models.map((model) => [model.model, `${model.calls} calls, ${model.prompt_tokens} prompt (${model.cached_tokens} cached), ${model.generated_tokens} generated`]),
  ]);
}

async function showJob(id, signal) {
  byId("job-head").textContent = id;
  for (const part of ["columns", "votes", "ledger", "job-problem"]) byId(part).replaceChildren();
  const job = await (await api(`jobs/${encodeURIComponent(id)}`, {signal})).json();
  if (signal.aborted) return;
  mathematics(job.problem, byId("job-problem"));
  const ends = new Map();
  for (const path of job.paths) {
    column(job, path.id);
    path.steps.forEach((step) => showStep(job, path.id, step));
    if (path.status !== "running") {
      const ended = {...path, path: path.id};
      ends.set(path.id, ended);
      showEnd(job, ended);
    }
  }
  showState(job);
  showVotes(job.votes.length ? job.votes : forming(ends), job.options.paths);
  if (FINAL.has(job.status)) return;
  for await (const event of events(id, job.cursor, signal)) {
    if (signal.aborted) return;
    say("");
    if (event.kind === "started") showState({...job, status: "running"});
    if (event.kind === "selected") {
      job.strategies = event.strategies;
      event.strategies.forEach((_, index) => column(job, index));
    }
    if (event.kind === "step") showStep(job, event.path, event.step);
    if (event.kind === "path_ended") {
      ends.set(event.path, event);
      showEnd(job, event);
      showVotes(forming(ends), job.options.paths);
    }
    if (event.kind === "finished") {
      showState(event.job);
      showVotes(event.job.votes, job.options.paths);
      say(`${id} has ended: ${event.job.status}${event.job.answer ? `, ${event.job.answer}` : ""}.`);
    }
  }
}

// The list and the form.

async function showJobs(more = false) {
  const query = new URLSearchParams({limit: "100", status: byId("status").value, tenant: byId("tenant").value.trim(), page: more ? nextPage : ""});
  const page = await (await api(`jobs?${query}`)).json();
  const items = page.jobs.map((job) => {
    const item = element("li");
    const link = element("a", job.problem.slice(0, 160));
    link.href = `#/job/${encodeURIComponent(job.job_id)}`;
    item.append(link, element("span", ` ${job.status}${job.answer ? `: ${job.answer}` : ""}`, "note"),
      element("span", ` ${job.options.mode}, ${job.tenant}, ${new Date(job.created).toLocaleString()}`, "note"));
    return item;
  });
  if (more) byId("jobs").append(...items); else byId("jobs").replaceChildren(...items);
  nextPage = page.next;
  byId("more").hidden = !nextPage;
}

async function showServer() {
  const info = await (await api("info")).json();
  define(byId("server"), [["Version", info.version], ...Object.entries(info.models).map(([role, name]) => [`Model (${role})`, name])]);
  for (const [id, names] of [["mode", info.modes], ["stop", info.stop_rules]]) {
    const first = element("option", "default");
    first.value = "";
    byId(id).replaceChildren(first, ...names.filter((name) => name !== "unknown").map((name) => element("option", name)));
  }
}

async function guarded(work) {
  try { await work(); } catch (error) { if (error.name !== "AbortError") say(error.message); }
}

function route() {
  watching.abort();
  watching = new AbortController();
  say("");
  const id = location.hash.startsWith("#/job/") ? decodeURIComponent(location.hash.slice(6)) : "";
  byId("home").hidden = Boolean(id);
  byId("job").hidden = !id;
  byId("main").focus({preventScroll: true});
  if (id) guarded(() => showJob(id, watching.signal));
  else { guarded(() => showJobs()); guarded(showServer); }
}

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const options = {};
  if (byId("mode").value) options.mode = byId("mode").value;
  if (byId("stop").value) options.stop_rule = byId("stop").value;
  if (byId("paths").value) options.paths = Number(byId("paths").value);
  guarded(async () => {
    const body = JSON.stringify({problem: byId("problem").value, options});
    const job = await (await api("jobs", {method: "POST", body})).json();
    location.hash = `#/job/${job.job_id}`;
  });
});
byId("cancel").addEventListener("click", () => guarded(async () => {
  const id = decodeURIComponent(location.hash.slice(6));
  await api(`jobs/${encodeURIComponent(id)}/cancel`, {method: "POST", body: "{}"});
}));
byId("refresh").addEventListener("click", () => guarded(() => showJobs()));
byId("status").addEventListener("change", () => guarded(() => showJobs()));
byId("more").addEventListener("click", () => guarded(() => showJobs(true)));
byId("key").value = sessionStorage.getItem("key") ?? "";
byId("key").addEventListener("change", () => { sessionStorage.setItem("key", byId("key").value.trim()); route(); });
addEventListener("hashchange", route);
route();
