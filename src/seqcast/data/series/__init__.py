"""Series as rows laid end to end, and their scaling: `store`, `statistics`, `scalers`."""
