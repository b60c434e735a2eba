"use strict";

// Tables: a button in each header sorts by its column; dashes come last, numbers before words.
function valueOf(cell) {
  const told = cell.textContent.trim();
  if (cell.dataset.value === "" || told === "" || told === "\u2013") return null;
  return cell.dataset.value === undefined ? told : Number(cell.dataset.value);
}

function inOrder(one, other, descending) {
  if (one === null || other === null) return (one === null) - (other === null);
  if (typeof one !== typeof other) return typeof one === "number" ? -1 : 1;
  const order = typeof one === "number" ? one - other : one.localeCompare(other, undefined, { numeric: true });
  return descending ? -order : order;
}

for (const table of document.querySelectorAll("table.sortable")) {
  const headers = [...table.tHead.rows[0].cells];
  headers.forEach((header, column) => {
    const button = document.createElement("button");
    button.append(...header.childNodes);
    header.append(button);
    button.addEventListener("click", () => {
      const descending = header.getAttribute("aria-sort") === "ascending";
      for (const other of headers) other.removeAttribute("aria-sort");
      header.setAttribute("aria-sort", descending ? "descending" : "ascending");
      const rows = [...table.tBodies[0].rows];
      rows.sort((one, other) => inOrder(valueOf(one.cells[column]), valueOf(other.cells[column]), descending));
      table.tBodies[0].append(...rows);
    });
  });
}

// Figures: what is pointed at or focused is told in words below, for touch and keyboard as well as for the mouse.
for (const figure of document.querySelectorAll("[data-readout]")) {
  const readout = document.createElement("p");
  readout.className = "readout";
  readout.setAttribute("aria-live", "polite");
  readout.textContent = figure.dataset.readout;
  figure.querySelector(".legend, .scroll").after(readout);
  const words = new Map();
  for (const cell of figure.querySelectorAll("td[title]")) {
    words.set(cell, cell.title);
    cell.removeAttribute("title");
  }
  for (const title of figure.querySelectorAll("svg title")) words.set(title.parentElement, title.textContent);
  for (const kind of ["pointerover", "focusin"]) {
    figure.addEventListener(kind, (event) => {
      const told = words.get(event.target.closest("td, circle, path"));
      if (told === undefined) return;
      readout.textContent = told;
      readout.classList.add("told");
    });
  }
}

// Matrices: one cell takes the focus, the arrow keys move it.
const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };
for (const table of document.querySelectorAll(".confusion table")) {
  const cells = [...table.tBodies[0].rows].map((row) => [...row.querySelectorAll("td")]);
  for (const cell of cells.flat()) cell.tabIndex = -1;
  cells[0][0].tabIndex = 0;
  table.tBodies[0].addEventListener("keydown", (event) => {
    const row = cells.findIndex((others) => others.includes(event.target));
    if (!(event.key in STEPS) || row < 0) return;
    const [down, right] = STEPS[event.key];
    const next = cells[row + down]?.[cells[row].indexOf(event.target) + right];
    event.preventDefault();
    if (!next) return;
    event.target.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
}

// Pictures: a click, or Enter, enlarges; Escape or a click closes, the arrow keys go to the neighbours.
const dialog = document.querySelector("dialog");
const pictures = [...document.querySelectorAll(".pictures img")];
let enlarged = 0;

function enlarge(place) {
  if (!pictures[place]) return;
  enlarged = place;
  const [picture, caption] = [dialog.querySelector("img"), dialog.querySelector("figcaption")];
  picture.src = pictures[place].src;
  picture.alt = caption.textContent = pictures[place].alt;
  if (!dialog.open) dialog.showModal();
}

pictures.forEach((picture, place) => {
  const button = document.createElement("button");
  button.className = "zoom";
  button.title = "Enlarge";
  picture.replaceWith(button);
  button.append(picture);
  button.addEventListener("click", () => enlarge(place));
});
dialog.addEventListener("keydown", (event) => {
  if (event.key === "ArrowLeft" || event.key === "ArrowRight") enlarge(enlarged + (event.key === "ArrowLeft" ? -1 : 1));
});
dialog.addEventListener("click", (event) => {
  if (event.target === dialog || event.target.tagName === "IMG") dialog.close();
});
