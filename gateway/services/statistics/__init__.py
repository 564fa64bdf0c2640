"""Downloads and views: recorded, merged, summed."""
