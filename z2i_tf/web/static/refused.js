// Returns the error of a refused request; `status` is HTTP's, 0 without an answer.
export const refused = (status, message) => Object.assign(new Error(message), {status});
