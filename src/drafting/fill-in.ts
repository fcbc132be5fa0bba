/** What a person looks for in a new inventory. */
export const fillIn = "FILL IN";
