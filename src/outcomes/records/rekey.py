def rekey_text(text, spec, source, private):
    return text
