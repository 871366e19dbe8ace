; Memory that kernels ask for: blocks that begin with six words. The first counts owners, the second is what to call at
; the end, the fourth points to the numbers, the fifth is their size, and the sixth says that they lie elsewhere.
declare ptr @malloc(i64)
declare ptr @realloc(ptr, i64)
declare void @free(ptr)

define ptr @NRT_Allocate(i64 %size) {
  %made = call ptr @malloc(i64 %size)
  ret ptr %made
}

define void @NRT_Free(ptr %made) {
  call void @free(ptr %made)
  ret void
}

define ptr @NRT_MemInfo_alloc(i64 %size) {
  %block = call ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 16)
  ret ptr %block
}

define ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %alignment) {
  %wide = zext i32 %alignment to i64
  %room = add i64 %wide, 48
  %all = add i64 %room, %size
  %block = call ptr @malloc(i64 %all)
  %failed = icmp eq ptr %block, null
  br i1 %failed, label %none, label %made
none:
  ret ptr null
made:
  %start = ptrtoint ptr %block to i64
  %past = add i64 %start, %room
  %over = urem i64 %past, %wide
  %data = sub i64 %past, %over
  store [6 x i64] zeroinitializer, ptr %block
  store i64 1, ptr %block
  %pointer = getelementptr i64, ptr %block, i64 3
  store i64 %data, ptr %pointer
  %length = getelementptr i64, ptr %block, i64 4
  store i64 %size, ptr %length
  ret ptr %block
}

define ptr @NRT_MemInfo_new_varsize_dtor(i64 %size, ptr %end) {
  %block = call ptr @NRT_MemInfo_alloc_aligned(i64 0, i32 16)
  %failed = icmp eq ptr %block, null
  br i1 %failed, label %done, label %made
made:
  %data = call ptr @NRT_MemInfo_varsize_realloc(ptr %block, i64 %size)
  %ending = getelementptr i64, ptr %block, i64 1
  store ptr %end, ptr %ending
  %elsewhere = getelementptr i64, ptr %block, i64 5
  store i64 1, ptr %elsewhere
  br label %done
done:
  ret ptr %block
}

define ptr @NRT_MemInfo_varsize_realloc(ptr %block, i64 %size) {
  %pointer = getelementptr i64, ptr %block, i64 3
  %elsewhere = getelementptr i64, ptr %block, i64 5
  %flag = load i64, ptr %elsewhere
  %has = icmp ne i64 %flag, 0
  %held = load ptr, ptr %pointer
  %old = select i1 %has, ptr %held, ptr null
  %data = call ptr @realloc(ptr %old, i64 %size)
  store ptr %data, ptr %pointer
  %length = getelementptr i64, ptr %block, i64 4
  store i64 %size, ptr %length
  ret ptr %data
}

define void @NRT_MemInfo_call_dtor(ptr %block) {
  %pointer = getelementptr i64, ptr %block, i64 3
  %data = load ptr, ptr %pointer
  %ending = getelementptr i64, ptr %block, i64 1
  %end = load ptr, ptr %ending
  %simple = icmp eq ptr %end, null
  br i1 %simple, label %ended, label %call
call:
  %length = getelementptr i64, ptr %block, i64 4
  %size = load i64, ptr %length
  call void %end(ptr %data, i64 %size, ptr null)
  br label %ended
ended:
  %elsewhere = getelementptr i64, ptr %block, i64 5
  %flag = load i64, ptr %elsewhere
  %within = icmp eq i64 %flag, 0
  br i1 %within, label %last, label %apart
apart:
  call void @free(ptr %data)
  br label %last
last:
  call void @free(ptr %block)
  ret void
}
