"use strict";

// Keeps pages up to date. Without this script every page still works: it shows
// how things stood when it was loaded.
(() => {
  const root = document.documentElement;
  // The gateway's clock, which times are told by, may differ from this one.
  let ahead = Number(root.dataset.now) - Date.now();
  const now = () => Date.now() + ahead;

  // As `text.rs` says it.
  const span = (milliseconds) => {
    const seconds = Math.trunc(milliseconds / 1000);
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 3600) return `${Math.trunc(seconds / 60)} min`;
    if (seconds < 86400) return `${Math.trunc(seconds / 3600)} h`;
    return `${Math.trunc(seconds / 86400)} d`;
  };
  const ago = (ms) => (ms < 1000 ? "just now" : `${span(ms)} ago`);
  const left = (ms) => {
    if (ms <= -1000) return `${span(-ms)} over`;
    return ms < 120000 ? `${Math.max(0, Math.trunc(ms / 1000))} s left` : `${span(ms)} left`;
  };

  const say = (element, text) => {
    if (element.textContent !== text) element.textContent = text;
  };
  const tick = () => {
    for (const it of document.querySelectorAll("[data-ago]")) {
      say(it, ago(now() - Number(it.dataset.ago)));
    }
    for (const it of document.querySelectorAll("[data-until]")) {
      say(it, left(Number(it.dataset.until) - now()));
    }
  };
  tick();
  setInterval(tick, 1000);

  // Puts each part in the place of the one with its name. A part in which
  // somebody is typing, or which is just being sent, stays as it is; what was
  // typed before goes with the part.
  const busy = (part) => {
    const active = document.activeElement;
    const typing = active && part.contains(active) && active.matches("input, textarea, select");
    return typing || part.querySelector("[data-sending]") !== null;
  };
  // What was typed, or chosen, and not sent yet.
  const isTyped = (field) =>
    field.matches("select")
      ? ![...field.selectedOptions].every((it) => it.defaultSelected)
      : field.value !== field.defaultValue;
  const show = (html) => {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const part of fresh.querySelectorAll("[data-part]")) {
      const old = document.querySelector(`[data-part="${CSS.escape(part.dataset.part)}"]`);
      if (!old || busy(old) || old.outerHTML === part.outerHTML) continue;
      const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
      const open = [...old.querySelectorAll("details[open][id]")].map((it) => it.id);
      const typed = [...old.querySelectorAll("input[id], textarea[id], select[id]")]
        .filter(isTyped)
        .map((it) => [it.id, it.value]);
      old.replaceWith(part);
      for (const id of open) document.getElementById(id)?.setAttribute("open", "");
      for (const [id, value] of typed) {
        const field = document.getElementById(id);
        if (field) field.value = value;
      }
      if (focused) document.getElementById(focused)?.focus();
    }
    tick();
  };

  const page = document.querySelector("[data-live]");
  if (page) {
    const lost = document.getElementById("connection");
    const paused = document.getElementById("paused");
    let stream;
    let latest;
    let retry;
    let isOver = false;
    // Over HTTP/1.1 a browser has six connections to one server, for all of
    // its tabs. A page that nobody sees holds none, and of those in view the
    // ones that were opened or used last.
    const MOST_STREAMS = 4;
    const name = crypto.getRandomValues(new Uint32Array(2)).join();
    const others = new BroadcastChannel("streams");
    const newer = new Set();
    const close = (state) => {
      clearTimeout(retry);
      if (!stream) return;
      stream.close();
      stream = undefined;
      others.postMessage({ name, isOpen: false });
      root.dataset.stream = state;
    };
    others.addEventListener("message", ({ data }) => {
      if (data.isOpen) newer.add(data.name);
      else newer.delete(data.name);
      if (!stream || newer.size < MOST_STREAMS) return;
      close("paused");
      paused.hidden = false;
    });
    const open = () => {
      if (stream || isOver || document.hidden) return;
      paused.hidden = true;
      newer.clear();
      others.postMessage({ name, isOpen: true });
      stream = new EventSource(page.dataset.live);
      stream.addEventListener("open", () => {
        lost.hidden = true;
      });
      stream.addEventListener("parts", (event) => {
        const state = JSON.parse(event.data);
        ahead = state.now - Date.now();
        latest = state.html;
        show(latest);
        root.dataset.stream = "open";
      });
      stream.addEventListener("end", (event) => {
        isOver = true;
        close("ended");
        document.getElementById("signed-out").hidden = event.data !== "signed-out";
      });
      stream.addEventListener("error", (event) => {
        lost.hidden = false;
        root.dataset.stream = "lost";
        // The browser gives up on what was refused, for example while the
        // gateway has no room; that passes, too.
        if (event.target.readyState !== EventSource.CLOSED) return;
        close("lost");
        retry = setTimeout(open, 3000);
      });
    };
    open();
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) close("hidden");
      else open();
    });
    addEventListener("focus", open);
    addEventListener("pointerdown", open);
    // What stayed as it was while somebody typed is brought up to date, once
    // the button that may have been the reason to stop is pressed.
    addEventListener("focusout", () => {
      setTimeout(() => {
        if (latest !== undefined) show(latest);
      }, 500);
    });
    // A page that the browser kept aside begins anew when it is shown again.
    addEventListener("pagehide", () => close("hidden"));
    addEventListener("pageshow", (event) => {
      if (event.persisted) open();
    });
  }

  // Whoever signs in comes back to where they were.
  for (const it of document.querySelectorAll("a[data-sign-in]")) {
    const here = location.pathname + location.search;
    if (!it.search && location.pathname !== it.pathname) it.search = `?next=${encodeURIComponent(here)}`;
  }

  // A form is sent once, however often its button is pressed.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sending !== undefined) {
      event.preventDefault();
      return;
    }
    const question = event.submitter?.dataset.confirm;
    if (question && !confirm(question)) {
      event.preventDefault();
      return;
    }
    form.dataset.sending = "";
  });
  addEventListener("pageshow", (event) => {
    // A form that the browser kept aside was sent: its key is used up.
    if (event.persisted && document.querySelector("input[name=key]")) location.reload();
    for (const form of document.querySelectorAll("form[data-sending]")) {
      delete form.dataset.sending;
    }
  });

  // What an order would cost, as soon as it is chosen.
  for (const form of document.querySelectorAll("form[data-quote]")) {
    let asked;
    let waiting;
    const quote = async () => {
      asked?.abort();
      asked = new AbortController();
      const query = new URLSearchParams(new FormData(form));
      query.delete("formToken");
      try {
        const answer = await fetch(`${form.dataset.quote}?${query}`, {
          headers: { accept: "text/html" },
          signal: asked.signal,
        });
        show(await answer.text());
      } catch {
        // The form says the price once more before anything is charged.
      }
    };
    form.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(quote, 200);
    });
  }
})();
