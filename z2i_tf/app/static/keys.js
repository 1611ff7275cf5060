// Handles the keys of the whole page.
const STEP = 4;  // CSS pixels of an arrow key.
const TOOLS = {b: "brush", r: "rectangle", l: "lasso", e: "eraser", v: "move"};
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]};

// `actions`: functions of main.js, by name.
export function listen(actions) {
  addEventListener("keydown", (event) => {
    if (document.querySelector("dialog[open]")) return;
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    if (event.ctrlKey || event.metaKey) {
      const action = {z: event.shiftKey ? "redo" : "undo", y: "redo", o: "open", s: "save"}[key];
      if (action && !event.altKey) {
        event.preventDefault();
        actions[action]();
      }
      return;
    }
    if (event.altKey || !actions.isOpen() && key !== "?") return;
    const onStage = document.activeElement.id === "stage" || document.activeElement === document.body;
    if (onStage && key in ARROWS) {
      event.preventDefault();
      const [dx, dy] = ARROWS[key], step = event.shiftKey ? actions.largeStep() : STEP;
      actions.moveBrush(dx * step, dy * step);
    } else if (key === " " && onStage) {
      event.preventDefault();
      actions.holdMove(true);
    } else if (key === "Enter" && onStage) {
      event.preventDefault();
      actions.fill();
    } else if (key === "p" && !event.repeat) {
      actions.toggleBrush();
    } else if (key === "Escape") {
      actions.cancel();
    } else if (key === "c" && !event.repeat) {
      actions.compare(true);
    } else if (key in TOOLS) {
      actions.choose(TOOLS[key]);
    } else if (key === "[" || key === "]") {
      actions.resize(key === "]" ? 1 : -1);
    } else if (key === "+" || key === "=" || key === "-") {
      actions.zoom(key === "-" ? -1 : 1);
    } else if (key === "0") {
      actions.fit();
    } else if (key === "1") {
      actions.actual();
    } else if (key === "?") {
      actions.help();
    }
  });
  addEventListener("keyup", (event) => {
    if (event.key === " ") actions.holdMove(false);
    if (event.key.toLowerCase() === "c") actions.compare(false);
  });
  addEventListener("blur", () => {
    actions.holdMove(false);
    actions.compare(false);
  });
}
