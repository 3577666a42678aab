"use strict";
// How things are written on the page. All text goes into the document as text, never as markup.
const Words = (() => {
  const make = (tag, className, ...content) => {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...content);
    return element;
  };

  const counted = (number, one, several = `${one}s`) =>
    `${number.toLocaleString("en")} ${number === 1 ? one : several}`;

  const size = (bytes) => {
    if (bytes < 1024) return `${bytes} B`;
    let unit = 0;
    let value = bytes / 1024;
    while (value >= 1000 && unit < 2) { value /= 1024; unit += 1; }
    return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${["KiB", "MiB", "GiB"][unit]}`;
  };

  const duration = (seconds) => {
    const value = Math.max(0, seconds);
    if (value < 0.001) return `${Math.round(value * 1e6)} µs`;
    if (value < 1) return `${(value * 1e3).toFixed(value < 0.01 ? 1 : 0)} ms`;
    if (value < 60) return `${value.toFixed(value < 10 ? 2 : 1)} s`;
    const minutes = Math.floor(value / 60);
    return minutes < 60 ? `${minutes} min ${Math.floor(value % 60)} s`
      : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  };

  const clock = (at) => {
    const time = new Date(at * 1000);
    const two = (number) => String(number).padStart(2, "0");
    return `${two(time.getHours())}:${two(time.getMinutes())}:${two(time.getSeconds())}`
      + `.${String(time.getMilliseconds()).padStart(3, "0")}`;
  };

  // On the usual address, the port says enough.
  const shortly = (address) => address.replace(/^(tcp|udp):127\.0\.0\.1:/, "$1 :");

  return { by: (id) => document.getElementById(id), make, counted, size, duration, clock, shortly };
})();
