// What the live board does beside being swapped: keys, sound, and saying that the connection is lost.
"use strict";
(() => {
  const live = document.getElementById("live");
  const pulse = document.getElementById("pulse");
  const sound = document.getElementById("sound");
  let newest = Number(document.querySelector(".tally").dataset.newest);
  let audio = null;

  function tell(up) {
    live.classList.toggle("stale", !up);
    const words = up ? pulse.dataset.live : live.dataset.stale;
    if (pulse.textContent !== words) pulse.textContent = words;
  }

  function chime() {
    if (!audio) return;
    document.body.dataset.chimes = Number(document.body.dataset.chimes || 0) + 1;
    [880, 660, 880].forEach((hertz, number) => {
      const tone = audio.createOscillator();
      const level = audio.createGain();
      const at = audio.currentTime + number * 0.18;
      tone.frequency.value = hertz;
      level.gain.setValueAtTime(0.0001, at);
      level.gain.exponentialRampToValueAtTime(0.3, at + 0.02);
      level.gain.exponentialRampToValueAtTime(0.0001, at + 0.16);
      tone.connect(level).connect(audio.destination);
      tone.start(at);
      tone.stop(at + 0.17);
    });
  }

  sound.addEventListener("click", () => {
    audio = audio ? null : new AudioContext();
    sound.setAttribute("aria-pressed", String(Boolean(audio)));
    sound.textContent = audio ? sound.dataset.on : sound.dataset.off;
    chime();
  });

  document.body.addEventListener("htmx:sseOpen", () => tell(true));
  document.body.addEventListener("htmx:sseError", () => tell(false));
  document.body.addEventListener("htmx:sendError", () => tell(false));
  document.body.addEventListener("htmx:responseError", () => tell(false));
  document.body.addEventListener("htmx:afterSwap", () => {
    tell(true);
    const tally = document.querySelector(".tally");
    if (!tally) return;
    const found = Number(tally.dataset.newest);
    if (found > newest) {
      chime();
      document.getElementById("news").textContent = tally.dataset.news; // read out by screen readers
    }
    newest = Math.max(newest, found);
  });

  function move(step) {
    const links = [...document.querySelectorAll(".entrance h2 a")];
    if (!links.length) return;
    const card = document.activeElement.closest(".entrance");
    const at = card ? links.indexOf(card.querySelector("h2 a")) : step > 0 ? -1 : links.length;
    const link = links[Math.min(Math.max(at + step, 0), links.length - 1)];
    link.focus();
    link.closest(".entrance").scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea")) return;
    const key = event.key.toLowerCase();
    if (key === "j") move(1);
    else if (key === "k") move(-1);
    else if (key === "a") {
      const card = document.activeElement.closest(".entrance");
      const button = card && card.querySelector("button.acknowledge");
      if (button) button.click();
    } else return;
    event.preventDefault();
  });
})();
