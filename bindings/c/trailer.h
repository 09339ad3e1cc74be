/* Beginnings of options: the size, and 0 for all else. */
#define PP_FABRIC_OPTIONS_INIT {sizeof(pp_fabric_options_t), 0, 0}
#define PP_QUEUE_OPTIONS_INIT {sizeof(pp_queue_options_t), 0, 0, 0, 0, NULL, 0}
#define PP_CELLS_OPTIONS_INIT {sizeof(pp_cells_options_t), 0, 0, 0, NULL, 0, 0, NULL, NULL}
#define PP_PROCESS_OPTIONS_INIT {sizeof(pp_process_options_t), NULL, NULL, NULL, NULL, NULL, 0, 0, 0, 0, 0}
#define PP_CALL_OPTIONS_INIT {sizeof(pp_call_options_t), 0, 0, 0, 0, 0, 0, 0, 0, 0}
#define PP_POOL_OPTIONS_INIT \
    {sizeof(pp_pool_options_t), NULL, NULL, 0, 0, 0, NULL, 0, 0, NULL, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, 0, NULL, NULL, 0}
#define PP_PEERING_OPTIONS_INIT {sizeof(pp_peering_options_t), NULL, 0, 0, 0, 0, 0, 0}

/* A process's stream that leads to a descriptor of this one. */
#define PP_STDIO_FD(fd) (-1 - (fd))

/* Lengths of time for timeouts: 5 * PP_SECOND. */
#define PP_MILLISECOND ((int64_t)1000000)
#define PP_SECOND ((int64_t)1000000000)

/* pp_fabric_open_abi with the ABI of this header. */
static inline int32_t pp_fabric_open(const char *name, int32_t how, const pp_fabric_options_t *options, pp_fabric_t **fabric, pp_error_t **error)
{
    return pp_fabric_open_abi(PP_ABI, name, how, options, fabric, error);
}

/* pp_fabric_current_abi with the ABI of this header. */
static inline int32_t pp_fabric_current(pp_fabric_t **fabric, pp_error_t **error)
{
    return pp_fabric_current_abi(PP_ABI, fabric, error);
}

/* pp_fabric_attach_abi with the ABI of this header. */
static inline int32_t pp_fabric_attach(int32_t fd, pp_fabric_t **fabric, pp_error_t **error)
{
    return pp_fabric_attach_abi(PP_ABI, fd, fabric, error);
}

/* Data to be put, sent or stored. What they point to is read during the call only. */

/* Bytes that are encoded already, in this codec. */
static inline pp_datum_t pp_encoded(const void *data, size_t len, uint8_t codec)
{
    pp_datum_t datum;
    datum.form = PP_FORM_BYTES;
    datum.codec = codec;
    datum.data = data;
    datum.len = len;
    datum.integer = 0;
    datum.number = 0;
    return datum;
}

/* Raw bytes. */
static inline pp_datum_t pp_raw(const void *data, size_t len)
{
    return pp_encoded(data, len, PP_CODEC_RAW);
}

/* The string value of `len` bytes of UTF-8. */
static inline pp_datum_t pp_text_of(const char *text, size_t len)
{
    pp_datum_t datum = pp_encoded(text, len, PP_CODEC_VALUE);
    datum.form = PP_FORM_TEXT;
    return datum;
}

/* The string value of a text that ends with a NUL. */
static inline pp_datum_t pp_text(const char *text)
{
    size_t len = 0;
    while (text != NULL && text[len] != 0) {
        len++;
    }
    return pp_text_of(text, len);
}

/* An integer value. */
static inline pp_datum_t pp_int(int64_t value)
{
    pp_datum_t datum = pp_encoded(NULL, 0, PP_CODEC_VALUE);
    datum.form = PP_FORM_INT;
    datum.integer = value;
    return datum;
}

/* An integer value without sign. */
static inline pp_datum_t pp_uint(uint64_t value)
{
    pp_datum_t datum = pp_int((int64_t)value);
    datum.form = PP_FORM_UINT;
    return datum;
}

/* A float value. */
static inline pp_datum_t pp_float(double value)
{
    pp_datum_t datum = pp_encoded(NULL, 0, PP_CODEC_VALUE);
    datum.form = PP_FORM_FLOAT;
    datum.number = value;
    return datum;
}

/* A bool value. */
static inline pp_datum_t pp_bool(bool value)
{
    pp_datum_t datum = pp_int(value ? 1 : 0);
    datum.form = PP_FORM_BOOL;
    return datum;
}

/* The value nil (None, null). */
static inline pp_datum_t pp_nil(void)
{
    pp_datum_t datum = pp_encoded(NULL, 0, PP_CODEC_VALUE);
    datum.form = PP_FORM_NIL;
    return datum;
}

/* An object, by its ticket: whoever reads the value gets the object itself. */
static inline pp_datum_t pp_object(const pp_ticket_t *ticket)
{
    pp_datum_t datum = pp_encoded(ticket, 40, PP_CODEC_VALUE);
    datum.form = PP_FORM_TICKET;
    return datum;
}

/* Elements for an operator of sets: these. */
static inline pp_elements_t pp_elements(const pp_datum_t *items, size_t count)
{
    pp_elements_t elements;
    elements.items = items;
    elements.count = count;
    elements.set = NULL;
    return elements;
}

/* The elements of another set. */
static inline pp_elements_t pp_elements_of(const pp_set_t *set)
{
    pp_elements_t elements = pp_elements(NULL, 0);
    elements.set = set;
    return elements;
}

/* pp_main_abi with the ABI of this header. */
static inline int32_t pp_main(pp_error_t **error)
{
    return pp_main_abi(PP_ABI, error);
}

/* pp_pool_create_abi with the ABI of this header. */
static inline int32_t pp_pool_create(const pp_pool_options_t *options, pp_pool_t **pool, pp_error_t **error)
{
    return pp_pool_create_abi(PP_ABI, options, pool, error);
}
