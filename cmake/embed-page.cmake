# Builds the page with esbuild and turns every file of it into a gzipped array in page_files.c.
