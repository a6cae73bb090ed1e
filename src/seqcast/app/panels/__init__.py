"""The panels of the page, one a question: data, forecast, how good, why, what if, the post, take away."""
