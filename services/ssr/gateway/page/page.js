// The page: which part of it is shown, and what its buttons do.
import {api, byId, guarded, say} from "./base.js";
import {showJobs, showPools, showServer} from "./home.js";
import {showJob} from "./job.js";

let watching = new AbortController();

function route() {
  watching.abort();
  watching = new AbortController();
  say("");
  const id = location.hash.startsWith("#/job/") ? decodeURIComponent(location.hash.slice(6)) : "";
  byId("home").hidden = Boolean(id);
  byId("job").hidden = !id;
  document.title = id ? `${id} - SSR` : "SSR";
  if (id) guarded(() => showJob(id, watching.signal));
  else {
    guarded(() => showJobs());
    guarded(showServer);
    showPools(watching.signal);
  }
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
for (const filter of ["status", "tenant"]) byId(filter).addEventListener("change", () => guarded(() => showJobs()));
byId("more").addEventListener("click", () => guarded(() => showJobs(true)));
byId("key").value = sessionStorage.getItem("key") ?? "";
byId("key").addEventListener("change", () => { sessionStorage.setItem("key", byId("key").value.trim()); route(); });
addEventListener("hashchange", () => {
  route();
  byId("main").focus({preventScroll: true}); // where what is new begins
});
route();
