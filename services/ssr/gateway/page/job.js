// One job: its paths as columns that grow, its votes as they form, its ledger.
import {FINAL, api, byId, define, element, events, guarded, mathematics, pause, say} from "./base.js";

// So long without an event, the job is asked what it waits for, which no event reports.
const QUIET_MS = 5000;

function column(job, index) {
  let found = byId(`path-${index}`);
  if (found) return found;
  found = element("section", "", "path");
  found.id = `path-${index}`;
  const strategy = job.strategies[index], head = element("h4", `Path ${index}${strategy ? `: ${strategy.name}` : ""}`);
  head.id = `${found.id}-head`;
  found.setAttribute("aria-labelledby", head.id);
  found.append(head, element("ol"), element("p", "", "note"));
  const after = [...byId("columns").children].find((other) => Number(other.id.slice(5)) > index);
  byId("columns").insertBefore(found, after ?? null);
  return found;
}

function showStep(job, index, step) {
  const list = column(job, index).querySelector("ol");
  if (step.index < list.children.length) return;
  const item = element("li", "", `step ${step.source}`);
  item.id = `path-${index}-step-${step.index}`;
  item.append(mathematics(step.text, element("p")));
  const score = step.score === null ? "" : `, score ${step.score.toFixed(1)} of 9`;
  const sure = typeof step.logprob === "number" ? `, mean log probability ${step.logprob.toFixed(2)}` : "";
  item.append(element("p", `${step.source}${score}, ${step.tokens} tokens${sure}`, "note"));
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
    const score = vote.mean_score === null || vote.mean_score === undefined ? "" : `, mean score ${vote.mean_score.toFixed(1)} of 9`;
    item.append(meter, ` ${vote.paths.length} of ${paths} paths (${vote.paths.join(", ")})${score}${sure}`);
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

async function showWaiting(id, last, signal) {
  for (;;) {
    await pause(QUIET_MS, signal);
    if (signal.aborted) return;
    if (document.hidden || Date.now() - last() < QUIET_MS) continue;
    await guarded(async () => {
      const job = await (await api(`jobs/${encodeURIComponent(id)}`, {signal})).json();
      if (!FINAL.has(job.status) && !FINAL.has(byId("job-status").textContent)) showState(job);
    });
    if (FINAL.has(byId("job-status").textContent)) return;
  }
}

export async function showJob(id, signal) {
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
  let last = Date.now();
  showWaiting(id, () => last, signal);
  for await (const event of events(id, job.cursor, signal)) {
    if (signal.aborted) return;
    last = Date.now();
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
