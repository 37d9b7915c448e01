/** A moment as `toISOString` writes those of the years that have four digits. */
export const ISO_MOMENT = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
