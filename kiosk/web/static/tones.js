// Short tones. A tone is never the only sign of anything: the screen says the same.
"use strict";
const Tones = (() => {
  const NOTES = {
    accept: [[1046, 0, 0.07], [1568, 0.06, 0.09]],
    attention: [[392, 0, 0.16], [330, 0.19, 0.22]],
    done: [[784, 0, 0.1], [988, 0.1, 0.1], [1319, 0.2, 0.22]],
  };
  let audio = null;
  let muted = false;

  function play(name) {
    if (muted || !window.AudioContext) return;
    audio = audio || new AudioContext();
    if (audio.state === "suspended") audio.resume();
    if (audio.state !== "running") return; // not allowed before the first touch; nothing is played late
    for (const [frequency, after_s, length_s] of NOTES[name]) note(frequency, audio.currentTime + after_s, length_s);
  }

  function note(frequency, start_s, length_s) {
    const oscillator = audio.createOscillator();
    const gain = audio.createGain();
    oscillator.type = "triangle";
    oscillator.frequency.value = frequency;
    gain.gain.setValueAtTime(0, start_s);
    gain.gain.linearRampToValueAtTime(0.25, start_s + 0.008);
    gain.gain.exponentialRampToValueAtTime(0.001, start_s + length_s);
    oscillator.connect(gain).connect(audio.destination);
    oscillator.start(start_s);
    oscillator.stop(start_s + length_s);
  }

  return {
    play,
    get muted() {
      return muted;
    },
    set muted(value) {
      muted = value;
    },
  };
})();
