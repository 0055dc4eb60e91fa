# The page: esbuild bundles ui/ (ui/build.mjs), and embed-page.mjs turns every file that it writes
# into a gzipped array of page_files.c, which becomes part of tk_api (src/api/page.h).
find_program(NODE NAMES node nodejs REQUIRED)
set(page ${CMAKE_BINARY_DIR}/page)
set(embed ${NODE} ${CMAKE_SOURCE_DIR}/cmake/embed-page.mjs ${page}_files.c)
file(GLOB_RECURSE page_sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/ui/src/*
  ${CMAKE_SOURCE_DIR}/docs/*.md)
if(EXISTS ${CMAKE_SOURCE_DIR}/node_modules/esbuild)
  add_custom_command(
    OUTPUT ${page}_files.c
    COMMAND ${NODE} ${CMAKE_SOURCE_DIR}/ui/build.mjs --out ${page}
    COMMAND ${embed} ${page}
    DEPENDS ${page_sources} ui/build.mjs ui/docs.mjs ui/policy.mjs cmake/embed-page.mjs package-lock.json
    COMMENT "Building and embedding the page"
    VERBATIM)
else()
  message(WARNING "npm ci has not run: this server will have no page")
  add_custom_command(OUTPUT ${page}_files.c COMMAND ${embed} DEPENDS cmake/embed-page.mjs VERBATIM)
endif()
target_sources(tk_api PRIVATE ${page}_files.c)

# The shapes of bodies and answers, for /api/v1/openapi.json.
set(schemas ${CMAKE_SOURCE_DIR}/src/api/openapi_schemas)
target_sources(tk_api PRIVATE ${schemas}.S)
set_source_files_properties(${schemas}.S PROPERTIES OBJECT_DEPENDS ${schemas}.json)
