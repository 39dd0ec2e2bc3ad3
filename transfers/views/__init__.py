"""The pages: views translate between requests and intents, and hold no rule."""
