/** Where the authorship logs of commits are, as git notes. */
export const notesRef = "refs/notes/ai";
