"use strict";
// The page of the room. Whatever somebody wrote goes into the document as text, never as markup.
(() => {
  const MOST = 500;
  const by = (id) => document.getElementById(id);
  const token = document.querySelector("meta[name=chat-token]").content;
  const tab = Array.from(crypto.getRandomValues(new Uint8Array(16)),
    (byte) => byte.toString(16).padStart(2, "0")).join("");
  const names = new Set();
  let me = "";
  let total = 0;
  let stream = null;

  const post = async (path, body) => {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "X-Chat-Token": token, "X-Chat-Tab": tab, "Content-Type": "text/plain; charset=utf-8" },
      body,
    });
    const value = answer.status === 200 || answer.status >= 400 ? await answer.json().catch(() => ({})) : {};
    if (!answer.ok) {
      const problem = new Error(value.error || `The server answers ${answer.status}.`);
      problem.gone = answer.status === 410;
      throw problem;
    }
    return value;
  };

  // Whoever reads at the end stays there, also when a keyboard takes half of the screen.
  let atEnd = true;
  by("log").addEventListener("scroll", () => {
    const log = by("log");
    atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  });
  new ResizeObserver(() => { if (atEnd) by("log").scrollTop = by("log").scrollHeight; }).observe(by("log"));

  const show = (kind, who, text) => {
    const log = by("log");
    const line = document.createElement("li");
    line.className = kind;
    if (who) {
      const name = document.createElement("span");
      name.className = "who";
      name.textContent = who;
      line.append(name);
    }
    line.append(text);
    log.append(line);
    while (log.childElementCount > MOST) log.firstElementChild.remove();
    if (atEnd || kind.includes("mine")) log.scrollTop = log.scrollHeight;
  };

  const listPeople = () => {
    by("count").textContent = total;
    const items = [...names].sort((a, b) => a.localeCompare(b)).slice(0, MOST).map((name) => {
      const item = document.createElement("li");
      item.textContent = name === me ? `${name} (you)` : name;
      return item;
    });
    if (total > items.length) {
      const more = document.createElement("li");
      more.textContent = `and ${total - items.length} more`;
      items.push(more);
    }
    by("names").replaceChildren(...items);
  };

  const calls = {
    said: ({ name, text }) => show(name === me ? "said mine" : "said", name, text),
    did: ({ name, text }) => show("did", "", `* ${name} ${text}`),
    told: ({ text }) => show("notice", "", text),
    joined: ({ name }) => {
      if (!names.has(name)) { names.add(name); total += 1; }
      show("notice", "", `${name} joined the chat!`);
    },
    left: ({ name }) => {
      names.delete(name);
      total = Math.max(0, total - 1);
      show("notice", "", `${name} left the chat`);
    },
    renamed: ({ old, new: now }) => {
      if (names.delete(old)) names.add(now);
      if (old === me) { me = now; inRoom(); }
      show("notice", "", `${old} is now ${now}`);
    },
    people: (event) => {
      names.clear();
      for (const name of event.names) names.add(name);
      total = event.total;
      me = event.you;
      inRoom();
    },
  };

  const inRoom = () => { by("state").textContent = `as ${me}`; };

  const swap = (joined) => {
    by("join").hidden = joined;
    for (const id of ["log", "say", "people", "leave"]) by(id).hidden = !joined;
    by(joined ? "text" : "name").focus();
  };

  const leave = (why) => {
    if (stream) stream.close();
    stream = null;
    swap(false);
    by("state").textContent = why;
  };

  const listen = () => {
    stream = new EventSource(`events?tab=${tab}`);
    stream.onopen = inRoom;
    stream.onmessage = (message) => {
      const event = JSON.parse(message.data);
      if (Object.hasOwn(calls, event.kind)) calls[event.kind](event);
      if (event.kind !== "said") listPeople();
    };
    stream.onerror = () => {
      if (stream && stream.readyState === EventSource.CLOSED) leave("You are not in the room any more.");
      else by("state").textContent = "connection lost; trying again";
    };
  };

  by("join").addEventListener("submit", async (event) => {
    event.preventDefault();
    by("join-problem").textContent = "";
    try {
      me = (await post("join", by("name").value)).name;
      by("log").replaceChildren();
      swap(true);
      listen();
    } catch (problem) {
      by("join-problem").textContent = problem.message;
    }
  });

  by("say").addEventListener("submit", async (event) => {
    event.preventDefault();
    const text = by("text").value;
    if (!text.trim()) return;
    by("say-problem").textContent = "";
    by("text").value = "";
    try {
      await post("say", text);
    } catch (problem) {
      if (problem.gone) { leave(problem.message); return; }
      by("say-problem").textContent = problem.message;
      if (!by("text").value) by("text").value = text;
    }
  });

  by("leave").addEventListener("click", () => { post("leave", "").catch(() => {}); leave("not in the room"); });
})();
