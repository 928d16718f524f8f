/** Runs on every page: what pages gain where scripts run. */
export {};
