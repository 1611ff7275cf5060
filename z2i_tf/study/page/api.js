// Calls the study's server, and keeps the participant's token over a reload.
import {refused} from "/refused.js";

const SERVER_PATIENCE_MS = 20000;
const TOKEN_KEY = "study-token";
const NO_ANSWER = "The study's server does not answer. Is it still running?";

export async function ask(path, fields) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), SERVER_PATIENCE_MS);
  let response, answer;
  try {
    response = await fetch(path, {method: "POST", headers: {"Content-Type": "application/json"},
                                  body: JSON.stringify(fields), signal: abort.signal});
    answer = await response.json();
  } catch (error) {
    throw refused(0, NO_ANSWER);
  } finally {
    clearTimeout(timer);
  }
  if (!response.ok) throw refused(response.status, answer.error);
  return answer;
}

// The token outlives a reload, not the window: the next person at this machine is asked for a name.
export function remember(token) {
  try {
    if (token) sessionStorage.setItem(TOKEN_KEY, token);
    else sessionStorage.removeItem(TOKEN_KEY);
  } catch (error) { /* Storage is forbidden: a reload asks for the name. */ }
}

export function remembered() {
  try {
    return sessionStorage.getItem(TOKEN_KEY);
  } catch (error) {
    return null;
  }
}
