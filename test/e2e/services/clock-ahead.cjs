/** Preloaded, it lets a program's clock be three seconds ahead. */

const now = Date.now;
Date.now = () => now() + 3_000;
