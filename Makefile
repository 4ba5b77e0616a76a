# A thin alias for ./run, which is the real entry and needs no make.
.PHONY: demo test check up lock
demo test check up lock:
	@./run $@
