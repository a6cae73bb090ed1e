"""The panels of the page: data, forecast, scores, explanation, what-if, the post and downloads."""
