// Looks into every frame of the page that a test made, and leaves what it finds in the element `found`.
"use strict";

// A box that is drawn.
const drawn = (element) => {
  const box = element.getBoundingClientRect();
  const style = element.ownerDocument.defaultView.getComputedStyle(element);
  return style.visibility === "visible" && box.width > 0 && box.height > 0;
};

// The parts of texts in elements of `selector` that have no place to be broken at.
const words = (document, selector) => {
  const nodes = [...document.querySelectorAll(selector)].flatMap((element) => [...element.childNodes]);
  return nodes.filter((node) => node.nodeType === Node.TEXT_NODE && !/\s/.test(node.textContent));
};

const lines = (node) => {
  const range = node.ownerDocument.createRange();
  range.selectNodeContents(node);
  return new Set([...range.getClientRects()].map((box) => Math.round(box.top))).size;
};

const faults = (view) => {
  const found = [];
  const page = view.document.documentElement;
  if (page.scrollWidth > view.innerWidth) found.push(`overflow: ${page.scrollWidth} of ${view.innerWidth} pixels`);
  for (const image of view.document.images) {
    if (!image.complete || image.naturalWidth === 0) found.push("image that is not loaded");
    if (!image.alt.trim()) found.push("image without alt");
  }
  for (const chart of view.document.querySelectorAll("svg")) {
    const title = chart.querySelector(":scope > title");
    if (chart.getAttribute("role") !== "img" || !title || !title.textContent.trim()) found.push("chart without a title");
  }
  for (const word of words(view.document, "th.axis")) {
    if (lines(word) > 1) found.push(`broken word: ${word.textContent} at the head of a table`);
  }
  return found;
};

// What is shown of a grid of samples by each of its buttons: the places of the images that are drawn.
const flipped = (view) => {
  const figure = [...view.document.querySelectorAll(".samples")].find((one) => one.querySelector(".flip"));
  if (!figure) return null;
  const shown = {};
  for (const mode of ["all", "a", "b"]) {
    figure.querySelector(`.flip .${mode}`).click();
    const images = [...figure.querySelectorAll("tr")].map((row) => row.querySelector("img"));
    const places = images.map((image, row) => [image, row]).filter(([image]) => drawn(image));
    shown[mode] = places.map(([image, row]) => {
      const box = image.getBoundingClientRect();
      return { row, left: Math.round(box.left), top: Math.round(box.top) };
    });
  }
  // A click on the samples themselves shows the other one.
  const middle = figure.querySelector(".stage").getBoundingClientRect();
  figure.querySelector(".flip .a").click();
  figure.scrollIntoView();
  const at = figure.querySelector(".stage").getBoundingClientRect();
  view.document.elementFromPoint(at.left + 5, at.top + middle.height / 8).click();
  shown.clicked = figure.querySelector(".flip .b").checked;
  figure.querySelector(".flip .all").click();
  view.scrollTo(0, 0);
  return shown;
};

// How far the first column and the last one move where a table is scrolled to its end.
const scrolled = (view) => {
  const wide = [...view.document.querySelectorAll(".wide")].find((one) => one.querySelector(".scores"));
  if (!wide) return null;
  const cells = wide.querySelectorAll("tbody tr:first-child td");
  const lefts = () => [cells[0], cells[cells.length - 1]].map((cell) => cell.getBoundingClientRect().left);
  const before = lefts();
  wide.scrollLeft = 100000;
  const after = lefts();
  const hidden = wide.scrollWidth - wide.clientWidth;
  const focusable = wide.tabIndex === 0 && wide.getAttribute("role") === "region" && !!wide.getAttribute("aria-label");
  wide.scrollLeft = 0;
  return { hidden, first: Math.round(after[0] - before[0]), last: Math.round(after[1] - before[1]), focusable };
};

const looked = (frame) => {
  const view = frame.contentWindow;
  return {
    page: frame.dataset.page,
    width: view.innerWidth,
    dark: view.matchMedia("(prefers-color-scheme: dark)").matches,
    background: view.getComputedStyle(view.document.body).backgroundColor,
    faults: faults(view),
    flipped: flipped(view),
    scrolled: scrolled(view),
  };
};

window.addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(looked);
  const escaped = JSON.stringify(found).replace(/[<>&]/g, (c) => "\\u00" + c.charCodeAt(0).toString(16));
  document.getElementById("found").textContent = escaped;
});
