// One participant's form. Nothing leaves the page except the file that the participant saves.
(() => {
  "use strict";
  const form = JSON.parse(document.getElementById("data").textContent);
  const KEY = `same-person:${form.kit}:${form.form}`;
  const $ = (id) => document.getElementById(id);
  const screens = ["intro", "resume", "task", "done", "gone", "elsewhere"];
  const UNINTENDED = 120; // ms: nobody judges a pair so fast; the second half of a double click does

  let state = null; // {participant, revision, answers: [{pair, said, ms, undone}], undone: {pair: times}}
  let screen = ""; // the one that is shown
  let shown = -1; // the pair whose pictures are on the screen; -1 while they are being decoded
  let since = 0; // when they appeared; moved on by the time the page was hidden
  let hidden = 0; // since when the page is hidden
  let saved = -1; // revision in the last file

  // --- what survives a crash: localStorage, where the browser allows it for a file ---
  const keep = (() => {
    try {
      localStorage.setItem(`${KEY}:try`, "1");
      localStorage.removeItem(`${KEY}:try`);
      return true;
    } catch {
      return false;
    }
  })();
  let stored = keep; // false once a write has failed
  function store() {
    if (!keep) return;
    try {
      localStorage.setItem(KEY, JSON.stringify(state));
      stored = true;
    } catch {
      stored = false;
    }
    $("volatile").hidden = stored;
  }
  function restore() {
    if (!keep) return null;
    try {
      const found = JSON.parse(localStorage.getItem(KEY));
      const usable = found && typeof found.participant === "string" && Array.isArray(found.answers)
        && found.answers.every((answer, k) => answer.pair === form.pairs[k]?.id);
      return usable ? found : null;
    } catch {
      return null;
    }
  }
  function forget() {
    state = null;
    if (keep) localStorage.removeItem(KEY);
  }

  function newCode() {
    const letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"; // 32 of them, none that look alike
    const drawn = crypto.getRandomValues(new Uint8Array(10));
    return Array.from(drawn, (n) => letters[n % 32]).join("");
  }

  // --- screens ---
  function show(name) {
    screen = name;
    for (const id of screens) $(id).hidden = id !== name;
    const focus = { task: "question", done: "thanks", gone: "withdrawn" }[name];
    if (focus) $(focus).focus({ preventScroll: true });
    if (name !== "task") scrollTo(0, 0);
  }
  function tell(text) {
    $("told").textContent = text;
    clearTimeout(tell.timer);
    tell.timer = setTimeout(() => { $("told").textContent = ""; }, 2500);
  }
  function describe() {
    for (const element of document.querySelectorAll(".code")) element.textContent = state.participant;
    $("so-far").textContent = `${state.answers.length} of ${form.pairs.length} pairs judged`;
  }

  // --- pairs ---
  const decoded = new Map(); // pair -> promise of two decoded pictures
  function decode(k) {
    if (k < 0 || k >= form.pairs.length) return null;
    if (!decoded.has(k)) {
      const pictures = [form.pairs[k].left, form.pairs[k].right].map((source) => {
        const picture = new Image();
        picture.src = source;
        return picture.decode();
      });
      decoded.set(k, Promise.all(pictures));
    }
    return decoded.get(k);
  }
  async function showPair() {
    const k = state.answers.length;
    shown = -1;
    describe();
    const total = form.pairs.length;
    $("bar").setAttribute("aria-valuenow", k);
    $("bar").firstElementChild.style.width = `${(100 * k) / total}%`;
    $("undo").disabled = k === 0;
    if (k === total) {
      $("text").value = JSON.stringify(file());
      show("done");
      return;
    }
    $("position").textContent = `Pair ${k + 1} of ${total}`;
    $("left-over").textContent = k ? `${total - k} to go` : "";
    if (screen !== "task") show("task");
    $("task").classList.add("waiting");
    await decode(k);
    if (!state || state.answers.length !== k || screen !== "task") return; // undone or withdrawn meanwhile
    $("one").src = form.pairs[k].left;
    $("other").src = form.pairs[k].right;
    await Promise.all([$("one").decode(), $("other").decode()]);
    if (!state || state.answers.length !== k || screen !== "task") return;
    $("task").classList.remove("waiting");
    for (const old of decoded.keys()) if (old < k - 1) decoded.delete(old);
    decode(k + 1);
    requestAnimationFrame(() => {
      since = performance.now();
      hidden = document.hidden ? since : 0;
      shown = k;
    });
  }

  function answer(said) {
    if (screen !== "task" || shown !== state.answers.length || $("ask").open) return;
    const ms = Math.round(performance.now() - since);
    if (ms < UNINTENDED) return;
    const pair = form.pairs[shown].id;
    state.answers.push({ pair, said, ms, undone: state.undone[pair] || 0 });
    state.revision += 1;
    store();
    flash(said);
    showPair();
  }
  function flash(said) {
    const button = $(said);
    button.classList.add("pressed");
    setTimeout(() => button.classList.remove("pressed"), 120);
  }
  function undo() {
    if (!state || (screen !== "task" && screen !== "done") || !state.answers.length || $("ask").open) return;
    const { pair } = state.answers.pop();
    state.undone[pair] = (state.undone[pair] || 0) + 1;
    state.revision += 1;
    store();
    tell("The last answer is undone: please judge this pair again.");
    showPair();
  }

  // --- the file ---
  function file() {
    return {
      format: "anonbench human evaluation answers", version: 1, kit: form.kit, form: form.form, consent: true,
      participant: state.participant, revision: state.revision, complete: state.answers.length === form.pairs.length,
      answers: state.answers,
    };
  }
  function save() {
    const blob = new Blob([JSON.stringify(file(), null, 1), "\n"], { type: "application/json" });
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `answers-${form.kit}-form${String(form.form).padStart(2, "0")}-${state.participant}.json`;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
    saved = state.revision;
    tell("Saved: look among your downloads.");
  }

  // --- events ---
  $("consent").addEventListener("change", () => { $("start").disabled = !$("consent").checked; });
  $("start").addEventListener("click", () => {
    if (!$("consent").checked) return;
    state = { participant: newCode(), revision: 0, answers: [], undone: {} };
    store();
    showPair();
  });
  $("continue").addEventListener("click", showPair);
  $("same").addEventListener("click", () => answer("same"));
  $("different").addEventListener("click", () => answer("different"));
  for (const id of ["undo", "undo-end"]) $(id).addEventListener("click", undo);
  for (const button of document.querySelectorAll(".save")) button.addEventListener("click", save);
  for (const button of document.querySelectorAll(".withdraw")) {
    button.addEventListener("click", () => $("ask").showModal());
  }
  $("no").addEventListener("click", () => $("ask").close());
  $("yes").addEventListener("click", () => {
    $("ask").close();
    forget();
    $("text").value = "";
    show("gone");
  });
  const ACTIONS = {
    s: () => answer("same"), arrowleft: () => answer("same"),
    d: () => answer("different"), arrowright: () => answer("different"),
    u: undo, backspace: undo,
  };
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (event.repeat && event.target instanceof HTMLButtonElement) event.preventDefault(); // Enter, held down
    if (screen !== "task" && screen !== "done") return;
    if (event.target instanceof HTMLTextAreaElement) return;
    const action = ACTIONS[event.key.toLowerCase()];
    if (!action || (screen === "done" && action !== undo)) return;
    event.preventDefault();
    if (!event.repeat) action(); // a key that is held down answers once
  });
  document.addEventListener("visibilitychange", () => {
    const now = performance.now();
    if (document.hidden) hidden = now;
    else if (hidden) {
      since += now - Math.max(hidden, since);
      hidden = 0;
    }
  });
  addEventListener("storage", (event) => {
    if (event.key === KEY && state) {
      state = null;
      show("elsewhere");
    }
  });
  addEventListener("beforeunload", (event) => {
    if (state && state.answers.length && !stored && saved !== state.revision) event.preventDefault();
  });

  $("volatile").hidden = keep;
  state = restore();
  if (state) {
    describe();
    show("resume");
  } else show("intro");
})();
