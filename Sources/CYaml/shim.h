#pragma once
#include <yaml.h>

// Typed views of an event's union, so that Swift reads no member that the event's type does not hold.

static inline const yaml_char_t *cs_scalar_bytes(const yaml_event_t *event, size_t *count) {
    *count = event->data.scalar.length;
    return event->data.scalar.value;
}

static inline int cs_scalar_is_plain(const yaml_event_t *event) {
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
}

static inline int cs_scalar_is_block(const yaml_event_t *event) {
    return event->data.scalar.style == YAML_LITERAL_SCALAR_STYLE || event->data.scalar.style == YAML_FOLDED_SCALAR_STYLE;
}

static inline int cs_document_has_directive(const yaml_event_t *event) {
    return event->data.document_start.version_directive != NULL
        || event->data.document_start.tag_directives.start != event->data.document_start.tag_directives.end;
}

// The anchor of a node or the name of an alias; NULL when there is none.
static inline const yaml_char_t *cs_event_anchor(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_ALIAS_EVENT: return event->data.alias.anchor;
    case YAML_SCALAR_EVENT: return event->data.scalar.anchor;
    case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.anchor;
    case YAML_MAPPING_START_EVENT: return event->data.mapping_start.anchor;
    default: return NULL;
    }
}

// The tag of a node; NULL when there is none.
static inline const yaml_char_t *cs_event_tag(const yaml_event_t *event) {
    switch (event->type) {
    case YAML_SCALAR_EVENT: return event->data.scalar.tag;
    case YAML_SEQUENCE_START_EVENT: return event->data.sequence_start.tag;
    case YAML_MAPPING_START_EVENT: return event->data.mapping_start.tag;
    default: return NULL;
    }
}
