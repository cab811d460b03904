"""From a result to what one audience may see."""
