/**
 * Whoever makes the views for reports holds it until the transaction ends. It comes before any lock on a view: whoever took
 * a view first and this one then would stand in a circle with who makes the views for reports, which read it.
 */
export const REPORTING_LOCK = `select pg_advisory_xact_lock(hashtext('oma reporting'))`;
