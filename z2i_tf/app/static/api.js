// Calls the server's HTTP API.
import {refused} from "/refused.js";

const ROOT = "/api/v1";
const LARGE_BYTES = 2 ** 27;
const NO_ANSWER = "The server does not answer. Is it still running?";

async function request(method, path, body, kind) {
  let response;
  try {
    response = await fetch(ROOT + path, {method, body, headers: kind ? {"Content-Type": kind} : {}});
  } catch (error) {
    throw refused(0, NO_ANSWER);
  }
  if (response.ok) return response;
  let message = `The server answered with an error (${response.status}).`;
  try {
    message = (await response.json()).error;
  } catch (error) { /* Refused before the application saw it. */ }
  throw refused(response.status, message);
}

const json = (method, path, fields) => request(method, path, JSON.stringify(fields), "application/json");

async function file(path, content, fields) {
  try {
    return await request("POST", `${path}?${new URLSearchParams(fields)}`, content, "application/octet-stream");
  } catch (refusal) {
    // The server may refuse a file without reading all of it.
    if (refusal.status === 0 && content.size > LARGE_BYTES) {
      throw refused(0, "The server did not take the file. It may be too large, or the server may have ended.");
    }
    throw refusal;
  }
}

export const openPhotograph = async (content, name) => (await file("/sessions", content, {name})).json();
export const forget = (id) => request("DELETE", `/sessions/${id}`);
export const describe = async (id) => (await request("GET", `/sessions/${id}`)).json();
export const undo = async (id, version) => (await json("POST", `/sessions/${id}/undo`, {version})).json();
export const redo = async (id, version) => (await json("POST", `/sessions/${id}/redo`, {version})).json();
export const cancel = async (id) => (await request("DELETE", `/sessions/${id}/fills`)).json();
// `reading`: invert_mask, mask_from and mask_threshold, as in `z2i inpaint`.
export const loadMask = async (id, content, name, reading) =>
  (await file(`/sessions/${id}/masks`, content, {name, ...reading})).json();
export const maskFile = async (id, shapes) => (await json("POST", `/sessions/${id}/mask`, {shapes})).blob();

export async function preview(id, original) {
  const response = await request("GET", `/sessions/${id}/preview${original ? "?original=true" : ""}`);
  return createImageBitmap(await response.blob());
}

// A part of the photograph, in its pixels; the answer may be a little larger. Returns {bitmap, x, y, width, height}.
export async function part(id, box, maxPixels) {
  const query = new URLSearchParams({...box, max_pixels: maxPixels});
  const response = await request("GET", `/sessions/${id}/view?${query}`);
  const [x, y, width, height] = response.headers.get("X-Box").split(",").map(Number);
  return {bitmap: await createImageBitmap(await response.blob()), x, y, width, height};
}

export async function photographFile(id, format) {
  const response = await request("GET", `/sessions/${id}/photo?format=${format}`);
  const remarks = response.headers.get("X-Remarks");
  return {blob: await response.blob(), remarks: remarks ? JSON.parse(`"${remarks}"`) : ""};
}

// Fills; calls `onProgress` with {place} or {step, steps}. Returns what changed, or {cancelled: true}.
export async function fill(id, fields, onProgress) {
  const response = await json("POST", `/sessions/${id}/fills`, fields);
  let last = null;
  try {
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const {value, done} = await reader.read();
      if (done) break;
      const lines = (text + value).split("\n");
      text = lines.pop();
      for (const line of lines) {
        last = JSON.parse(line);
        if ("place" in last || "step" in last) onProgress(last);
      }
    }
  } catch (error) {
    throw refused(0, NO_ANSWER);
  }
  if (last === null || "place" in last || "step" in last) throw refused(0, NO_ANSWER);
  if ("error" in last) throw refused(last.status, last.error);
  return last;
}

export async function pngBitmap(base64) {
  const bytes = Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  return createImageBitmap(new Blob([bytes], {type: "image/png"}));
}
