/*
 * TraceKit for C++ (11 and later): spans that end with their scope. tracekit.h has the rules; nothing here throws.
 *
 *     tracekit::span span("load user");
 *     span.set("user.id", id).set("rows", 12);
 */
#ifndef TRACEKIT_HPP
#define TRACEKIT_HPP

#include <tracekit.h>

#include <cstddef>
#include <cstring>
#include <exception>
#include <string>
#include <type_traits>
#include <typeinfo>

namespace tracekit
{

/* A span that ends when it goes out of scope, or is told to. It is moved, not copied. */
class span
{
  public:
    /* A child of the thread's current span, or a trace; it becomes current. */
    explicit span(const char *name) noexcept : span_(tracekit_start(name))
    {
    }

    explicit span(const std::string &name) noexcept : span_(tracekit_start_n(name.data(), name.size()))
    {
    }

    /* Takes over what one of C's start functions gave. */
    explicit span(tracekit_span *span) noexcept : span_(span)
    {
    }

    span(span &&other) noexcept : span_(other.release())
    {
    }

    span &
    operator=(span &&other) noexcept
    {
        if (this != &other) {
            end();
            span_ = other.release();
        }
        return *this;
    }

    span(const span &) = delete;
    span &operator=(const span &) = delete;

    ~span()
    {
        end();
    }

    void
    end() noexcept
    {
        tracekit_end(release());
    }

    /* For C's functions, which take no ownership by it. */
    tracekit_span *
    get() const noexcept
    {
        return span_;
    }

    /* Gives the span away: who has it ends it. */
    tracekit_span *
    release() noexcept
    {
        tracekit_span *span = span_;
        span_ = nullptr;
        return span;
    }

    span &
    set(const char *key, const char *value) noexcept
    {
        tracekit_set_string(span_, key, value);
        return *this;
    }

    span &
    set(const char *key, const std::string &value) noexcept
    {
        tracekit_set_string_n(span_, key, std::strlen(key), value.data(), value.size());
        return *this;
    }

    span &
    set(const char *key, bool value) noexcept
    {
        tracekit_set_bool(span_, key, value);
        return *this;
    }

    template <typename T>
    typename std::enable_if<std::is_integral<T>::value && !std::is_same<T, bool>::value, span &>::type
    set(const char *key, T value) noexcept
    {
        tracekit_set_int(span_, key, static_cast<int64_t>(value));
        return *this;
    }

    template <typename T>
    typename std::enable_if<std::is_floating_point<T>::value, span &>::type
    set(const char *key, T value) noexcept
    {
        tracekit_set_double(span_, key, static_cast<double>(value));
        return *this;
    }

    span &
    event(const char *name) noexcept
    {
        tracekit_add_event(span_, name, nullptr, 0);
        return *this;
    }

    /* Records an exception and fails the span; the exception is still yours to handle or throw on. */
    span &
    error(const std::exception &exception) noexcept
    {
        tracekit_record_error(span_, typeid(exception).name(), exception.what(), nullptr);
        return *this;
    }

  private:
    tracekit_span *span_;
};

} // namespace tracekit

#endif
