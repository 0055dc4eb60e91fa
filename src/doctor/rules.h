#ifndef TK_DOCTOR_RULES_H
#define TK_DOCTOR_RULES_H
/*
 * rules - what the rules share: questions about facts, and how a finding is said.
 */
#include "doctor/private.h"

#include <stdio.h>

#define SAY(...) tk_arena_printf(doctor->arena, __VA_ARGS__)

/* The texts lie in the arena, or are literals. */
struct tk_doctor_finding *tk_doctor_find(struct doctor *doctor, const char *rule,
                                         enum tk_doctor_severity severity, tk_str file,
                                         uint32_t line, tk_str message, tk_str fix);

/* An option of the SDK, by its name in small letters: "apikey", "servicename". */
const struct fact *tk_doctor_option(struct doctor *doctor, const struct tk_doctor_service *service,
                                    const char *name);
const struct fact *tk_doctor_setting(struct doctor *doctor, const struct tk_doctor_service *service,
                                     const char *name);
/* Where the SDK is given its options: its init, or the settings that a framework reads. False where
   they are not all to be seen. */
bool tk_doctor_options_place(struct doctor *doctor, const struct tk_doctor_service *service,
                             tk_str *ret_file, uint32_t *ret_line);
/* The first text that is the value itself, not an argument of a call; NULL. */
const struct item *tk_doctor_literal(const struct fact *fact);
/* Is any of it known only when it runs? */
bool tk_doctor_is_unknown(const struct value *value);
bool tk_doctor_target_covers(const struct item *target, tk_str url);

struct tk_doctor_url {
    tk_str host, path;
    uint32_t port; /* 0: none is named */
    bool loopback;
};
/* http://user@host:port/path?query, or host:port/path; what is not there is empty. */
struct tk_doctor_url tk_doctor_url(tk_str text);

/* rules_requests.c: where a service listens (0: not seen), and what its requests meet. */
uint32_t tk_doctor_port(const struct tk_doctor_service *service);
void tk_doctor_judge_requests(struct doctor *doctor, const struct tk_doctor_service *service);

#endif
